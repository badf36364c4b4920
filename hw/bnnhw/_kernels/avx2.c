/* x86-64 with AVX2, which cannot count bits: a byte shuffle looks counts up instead, by 4 weights at a time.
 *
 * Lanes are neurons, one byte each. The 4 weight bits of a neuron are the index into a table of 16 bytes, and
 * the activations choose the table: its entry w is the number of inputs that differ from the weights w. There
 * is room for two counts in a byte, so one table serves two neighbouring windows, the first in the low four
 * bits; it is chosen by 4 activations of each, which makes 256 tables. For ternary inputs the 256 tables are
 * chosen by 4 signs and 4 "is not zero", and serve one window.
 *
 * Three look-ups fit four bits (12). Then the sums are added up whole, modulo 256, and the upper halves once more
 * by themselves; the lower halves are what remains. After 3 words (192) bytes are widened.
 *
 * Packed weights: int32 offsets [word of a window], then bytes [group][plane][word][16][BNN_GROUP], the four bits
 * in the order of spread(). Bytes as in dots.h.
 */
#include "layer.h"
#if BNN_X86
#define BNN_TARGET "popcnt,avx2"
#include "tuning.h"

#include <immintrin.h>
#include <string.h>

#define BNN_POPCOUNT(word) (uint64_t)__builtin_popcountll(word)
#include "dots.h"
#include "store.h"
#include "used.h"
#include "walk.h"

/* Keep a sum in its register and its place; compilers regroup sums until they run out of registers. */
#define PIN(vector) __asm__("" : "+x"(vector))

enum { NIBBLES = 16, WIDEN = 3, LANES = 8, REGISTERS = BNN_GROUP / LANES };

/* tables[choice][weights]; see above. Filled once, by pack(). */
static uint8_t pair_tables[256][16] __attribute__((aligned(64)));
static uint8_t ternary_tables[256][16] __attribute__((aligned(64)));

static int window_words(const bnn_layer *layer) { return layer->runs * layer->run; }

static ptrdiff_t offsets_size(const bnn_layer *layer) {
    return ((ptrdiff_t)window_words(layer) * (ptrdiff_t)sizeof(int32_t) + 63) / 64 * 64;
}

static size_t packed(const bnn_layer *layer) {
    if (layer->kind == BNN_BYTES) return bnn_dots_packed(layer);
    return (size_t)offsets_size(layer) +
           (size_t)layer->groups * (size_t)layer->planes * (size_t)window_words(layer) * NIBBLES * BNN_GROUP;
}

static int same(int neuron) { return neuron; }

/* Where four bits of a word go: spread() yields the even ones first. */
static int order(int nibble) { return nibble / 2 + nibble % 2 * (NIBBLES / 2); }

static void fill_tables(void) {
    for (int choice = 0; choice < 256; choice++) {
        const int low = choice & 15, high = choice >> 4;
        for (int bits = 0; bits < 16; bits++) {
            const int first = __builtin_popcount((unsigned)(low ^ bits)), second = __builtin_popcount((unsigned)(high ^ bits));
            pair_tables[choice][bits] = (uint8_t)(first | second << 4);
            ternary_tables[choice][bits] = (uint8_t)__builtin_popcount((unsigned)(high & (low ^ bits)));
        }
    }
}

static void pack(const bnn_layer *layer, const bnn_rows *rows, void *to) {
    const int window = window_words(layer);
    int32_t *offset = to;
    uint8_t *weight = (uint8_t *)to + offsets_size(layer);
    if (layer->kind == BNN_BYTES) {
        bnn_dots_pack(layer, rows->bytes, same, BNN_GROUP, to);
        return;
    }
    fill_tables();
    for (int word = 0; word < window; word++) {
        const ptrdiff_t step = layer->kind == BNN_TERNARY ? 2 : 1;
        offset[word] = (int32_t)((word / layer->run * layer->in_row) / step + word % layer->run) * NIBBLES;
    }
    for (int plane = 0; plane < layer->planes; plane++) {
        for (int output = 0; output < layer->outputs; output++) {
            const uint64_t *bits = rows->bits + (plane * (ptrdiff_t)layer->outputs + output) * window;
            const ptrdiff_t first = (ptrdiff_t)(output / BNN_GROUP * layer->planes + plane) * window;
            for (int word = 0; word < window; word++) {
                for (int nibble = 0; nibble < NIBBLES; nibble++) {
                    weight[((first + word) * NIBBLES + order(nibble)) * BNN_GROUP + output % BNN_GROUP] =
                        (uint8_t)(bits[word] >> (4 * nibble) & 15);
                }
            }
        }
    }
}

/* Which tables to use: byte offsets, uint16 [word][NIBBLES], for each word of the map. For one bit the map is one
 * image's, or for a dense layer that of each pair of images. */
static ptrdiff_t choices(const bnn_layer *layer, int images) {
    ptrdiff_t words = layer->in_image;
    if (layer->kind == BNN_TERNARY) words /= 2;
    if (bnn_is_dense(layer)) words *= layer->kind == BNN_BITS ? (images + 1) / 2 : images;
    return (words * NIBBLES * (ptrdiff_t)sizeof(uint16_t) + 63) / 64 * 64;
}

static size_t scratch(const bnn_layer *layer, int images) {
    if (layer->kind == BNN_BYTES) return bnn_dots_scratch(layer);
    return (size_t)choices(layer, images) + (layer->kind == BNN_TERNARY ? bnn_used_size(layer, images) : 0);
}

/* Offsets of the tables for four bits of each of two words. */
BNN_INLINE void spread(uint64_t low, uint64_t high, uint16_t *choice) {
    const uint64_t mask = 0x0f0f0f0f0f0f0f0fu;
    const uint64_t even = (low & mask) | (high & mask) << 4, odd = (low >> 4 & mask) | (high & ~mask);
    const __m256i bytes = _mm256_cvtepu8_epi16(_mm_set_epi64x((int64_t)odd, (int64_t)even));
    _mm256_storeu_si256((__m256i *)choice, _mm256_slli_epi16(bytes, 4));
}

/* Choices for an image's neighbouring windows, or for a pair of images (`other` elements further on). */
static void choose_pairs(const uint64_t *in, ptrdiff_t count, ptrdiff_t other, ptrdiff_t readable, uint16_t *choice) {
    for (ptrdiff_t i = 0; i < count; i++) {
        spread(in[i], i + other < readable ? in[i + other] : 0, choice + i * NIBBLES);
    }
}

static void choose_ternary(const uint64_t *in, ptrdiff_t words, uint16_t *choice) {
    for (ptrdiff_t i = 0; i < words; i++) spread(in[2 * i], in[2 * i + 1], choice + i * NIBBLES);
}

BNN_INLINE __m256i load(const void *from) { return _mm256_loadu_si256(from); }

/* A table, in both halves of a register. */
BNN_INLINE __m256i table(const uint8_t (*tables)[16], const uint16_t *choice) {
    return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)((const uint8_t *)tables + *choice)));
}

/* Add bytes to 32 sums of 16 bits. */
BNN_INLINE void widen(__m256i bytes, uint16_t *sum) {
    const __m256i low = _mm256_cvtepu8_epi16(_mm256_castsi256_si128(bytes));
    const __m256i high = _mm256_cvtepu8_epi16(_mm256_extracti128_si256(bytes, 1));
    _mm256_storeu_si256((__m256i *)sum, _mm256_add_epi16(load(sum), low));
    _mm256_storeu_si256((__m256i *)(sum + 16), _mm256_add_epi16(load(sum + 16), high));
}

/* The lower four bits of all bytes: what the upper ones leave of the sums. */
BNN_INLINE __m256i lower(__m256i all, __m256i upper) {
    return _mm256_sub_epi8(all, _mm256_and_si256(_mm256_slli_epi16(upper, 4), _mm256_set1_epi8(-16)));
}

/* Add up to WIDEN words to the sums of a pair of windows. The variables end in the half of the group. */
BNN_INLINE void count_pair(const uint8_t *weight, const int32_t *offset, int words, const uint16_t *choice,
                           uint16_t (*sum)[BNN_GROUP]) {
    const __m256i mask = _mm256_set1_epi8(15);
    __m256i all0 = _mm256_setzero_si256(), all1 = all0, upper0 = all0, upper1 = all0;
#define SPLIT(half) \
    all##half = _mm256_add_epi8(all##half, some##half); \
    PIN(all##half); \
    upper##half = _mm256_add_epi8(upper##half, _mm256_and_si256(_mm256_srli_epi16(some##half, 4), mask)); \
    PIN(upper##half);
#define ADD(first, count) \
    { \
        __m256i some0 = _mm256_setzero_si256(), some1 = some0; \
        for (int i = first; i < first + count; i++) { \
            const __m256i counts = table(pair_tables, at + i); \
            some0 = _mm256_add_epi8(some0, _mm256_shuffle_epi8(counts, load(weight + i * BNN_GROUP))); \
            some1 = _mm256_add_epi8(some1, _mm256_shuffle_epi8(counts, load(weight + i * BNN_GROUP + 32))); \
        } \
        SPLIT(0) \
        SPLIT(1) \
    }
    for (int word = 0; word < words; word++, weight += NIBBLES * BNN_GROUP) {
        const uint16_t *at = choice + offset[word];
        ADD(0, 3)
        ADD(3, 3)
        ADD(6, 3)
        ADD(9, 3)
        ADD(12, 2)
        ADD(14, 2)
    }
#undef SPLIT
#undef ADD
    widen(lower(all0, upper0), sum[0]);
    widen(lower(all1, upper1), sum[0] + 32);
    widen(upper0, sum[1]);
    widen(upper1, sum[1] + 32);
}

BNN_INLINE void count_ternary(const uint8_t *weight, const int32_t *offset, int words, const uint16_t *choice,
                              uint16_t *sum) {
    __m256i low = _mm256_setzero_si256(), high = low;
    for (int word = 0; word < words; word++, weight += NIBBLES * BNN_GROUP) {
        const uint16_t *at = choice + offset[word];
        for (int i = 0; i < NIBBLES; i++) {
            const __m256i counts = table(ternary_tables, at + i);
            low = _mm256_add_epi8(low, _mm256_shuffle_epi8(counts, load(weight + i * BNN_GROUP)));
            high = _mm256_add_epi8(high, _mm256_shuffle_epi8(counts, load(weight + i * BNN_GROUP + 32)));
        }
    }
    widen(low, sum);
    widen(high, sum + 32);
}

static uint64_t fired(const int32_t *value, const int32_t *limit) {
    uint64_t word = 0;
    for (int r = 0; r < REGISTERS; r++) {
        const __m256i below = _mm256_cmpgt_epi32(load(limit + r * LANES), load(value + r * LANES));
        word |= (uint64_t)(uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(below)) << (r * LANES);
    }
    return word;
}

static void finish(const bnn_layer *layer, int group, const int32_t *value, void *out, ptrdiff_t at) {
    if (layer->result == BNN_ONE_BIT) {
        ((uint64_t *)out)[at] = fired(value, bnn_limits(layer, 0, group));
    } else if (layer->result == BNN_TWO_BIT) {
        bnn_store_ternary(fired(value, bnn_limits(layer, 0, group)), fired(value, bnn_limits(layer, 1, group)),
                          (uint64_t *)out + at);
    } else {
        bnn_store(layer, group, value, out, at);
    }
}

/* Add sums of 16 bits to values, and start them again. */
BNN_INLINE void carry(uint16_t *sum, int32_t *value) {
    for (int i = 0; i < BNN_GROUP; i++) value[i] += sum[i];
    memset(sum, 0, BNN_GROUP * sizeof *sum);
}

/* Sums of 16 bits are full after this many words. */
enum { CARRY = 65535 / 64 / WIDEN * WIDEN };

BNN_INLINE void values(const bnn_layer *layer, int group, const uint16_t *const *window, int ternary, int count,
                       int32_t (*value)[BNN_GROUP]) {
    const int window_size = window_words(layer);
    const int32_t *offset = layer->weights;
    const uint8_t *weight = (const uint8_t *)layer->weights + offsets_size(layer) +
                            (ptrdiff_t)group * layer->planes * window_size * NIBBLES * BNN_GROUP;
    const int is_short = layer->planes * window_size <= CARRY;
    uint16_t sum[BNN_TILE][BNN_GROUP] = {{0}};
    if (!is_short) memset(value, 0, BNN_TILE * sizeof *value);
    for (int plane = 0; plane < layer->planes; plane++) {
        for (int word = 0; word < window_size; word += WIDEN) {
            const int some = window_size - word < WIDEN ? window_size - word : WIDEN;
            if (ternary) {
                for (int w = 0; w < count; w++) count_ternary(weight, offset + word, some, window[w], sum[w]);
            } else {
                count_pair(weight, offset + word, some, window[0], sum);
                if (count > 2) count_pair(weight, offset + word, some, window[2], sum + 2);
            }
            weight += some * NIBBLES * BNN_GROUP;
            if (word % CARRY == CARRY - WIDEN) {
                for (int w = 0; w < count; w++) carry(sum[w], value[w]);
            }
        }
        for (int w = 0; !is_short && w < count; w++) carry(sum[w], value[w]);
    }
    if (is_short) {
        for (int w = 0; w < count; w++) {
            for (int i = 0; i < BNN_GROUP; i++) value[w][i] = sum[w][i];
        }
    }
}

typedef struct {
    const uint16_t *choice;
    const int32_t *used;
} prepared;

BNN_INLINE void tile(const bnn_layer *layer, const bnn_span *span, void *out, const prepared *ready, int ternary) {
    const int step = ternary ? 2 : 1, dense = bnn_is_dense(layer);
    /* A dense layer has choices for each pair of images only. */
    const int images = dense && !ternary ? 2 : 1;
    const uint16_t *window[BNN_TILE] = {0};
    int32_t value[BNN_TILE][BNN_GROUP];
    int count = span->positions;
    const uint16_t *first = ready->choice + span->in / (step * images) * NIBBLES;
    for (int w = 0; w < count; w++) window[w] = first + w * span->in_step / (step * images) * NIBBLES;
    if (layer->pooled) {
        count = 4;
        for (int w = 0; w < count; w++) {
            window[w] = first + (w / 2 * layer->in_line + w % 2 * layer->in_column) / step * NIBBLES;
        }
    }
    values(layer, span->group, window, ternary, count, value);
    if (ternary) {
        const int32_t *used[BNN_TILE] = {0};
        bnn_used_of(layer, span, ready->used, used);
        for (int w = 0; w < count; w++) {
            for (int i = 0; i < BNN_GROUP; i++) value[w][i] = layer->beta * value[w][i] - layer->alpha * *used[w];
        }
    }
    if (layer->pooled) {
        for (int i = 0; i < BNN_GROUP; i++) {
            for (int w = 1; w < 4; w++) value[0][i] = value[w][i] < value[0][i] ? value[w][i] : value[0][i];
        }
        finish(layer, span->group, value[0], out, span->out);
        return;
    }
    for (int w = 0; w < count; w++) finish(layer, span->group, value[w], out, span->out + w * span->out_step);
}

static void bits_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *ready) {
    (void)in;
    tile(layer, span, out, ready, 0);
}

static void ternary_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *ready) {
    (void)in;
    tile(layer, span, out, ready, 1);
}

/* Half of a group for one row; 32 neurons are 4 registers. */
BNN_INLINE void products(const uint8_t *row, const int8_t *weight, ptrdiff_t steps, int32_t *value) {
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sum0 = _mm256_setzero_si256(), sum1 = sum0, sum2 = sum0, sum3 = sum0;
    for (ptrdiff_t step = 0; step < steps; step++, row += 4, weight += BNN_GROUP * 4) {
        int32_t four;
        memcpy(&four, row, sizeof four);
        const __m256i bytes = _mm256_set1_epi32(four);
#define ADD(s) \
    sum##s = _mm256_add_epi32(sum##s, _mm256_madd_epi16(_mm256_maddubs_epi16(bytes, load(weight + s * 32)), ones));
        ADD(0) ADD(1) ADD(2) ADD(3)
#undef ADD
    }
    _mm256_storeu_si256((__m256i *)value, sum0);
    _mm256_storeu_si256((__m256i *)(value + LANES), sum1);
    _mm256_storeu_si256((__m256i *)(value + 2 * LANES), sum2);
    _mm256_storeu_si256((__m256i *)(value + 3 * LANES), sum3);
}

/* The same with sums of 16 bits, which hold BNN_SHORT_FAN_IN inputs. */
BNN_INLINE void short_products(const uint8_t *row, const int8_t *weight, ptrdiff_t steps, int32_t *value) {
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sum0 = _mm256_setzero_si256(), sum1 = sum0, sum2 = sum0, sum3 = sum0;
    for (ptrdiff_t step = 0; step < steps; step++, row += 4, weight += BNN_GROUP * 4) {
        int32_t four;
        memcpy(&four, row, sizeof four);
        const __m256i bytes = _mm256_set1_epi32(four);
#define ADD(s) sum##s = _mm256_add_epi16(sum##s, _mm256_maddubs_epi16(bytes, load(weight + s * 32)));
        ADD(0) ADD(1) ADD(2) ADD(3)
#undef ADD
    }
    _mm256_storeu_si256((__m256i *)value, _mm256_madd_epi16(sum0, ones));
    _mm256_storeu_si256((__m256i *)(value + LANES), _mm256_madd_epi16(sum1, ones));
    _mm256_storeu_si256((__m256i *)(value + 2 * LANES), _mm256_madd_epi16(sum2, ones));
    _mm256_storeu_si256((__m256i *)(value + 3 * LANES), _mm256_madd_epi16(sum3, ones));
}

static void dots(const bnn_layer *layer, int group, const uint8_t *rows, int count, void *out, ptrdiff_t at,
                 ptrdiff_t out_step) {
    const ptrdiff_t steps = bnn_dots_steps(layer);
    const int8_t *weight = (const int8_t *)layer->weights + group * steps * BNN_GROUP * 4;
    const int is_short = (ptrdiff_t)layer->runs * layer->run <= BNN_SHORT_FAN_IN;
    for (int w = 0; w < count; w++, rows += 4 * steps) {
        int32_t value[BNN_GROUP];
        for (int half = 0; half < 2; half++) {
            if (is_short) {
                short_products(rows, weight + half * 128, steps, value + half * 32);
            } else {
                products(rows, weight + half * 128, steps, value + half * 32);
            }
        }
        finish(layer, group, value, out, at + w * out_step);
    }
}

static void run(const bnn_layer *layer, const void *in, void *out, int images, void *memory) {
    uint16_t *choice = memory;
    int32_t *used = (int32_t *)((char *)memory + choices(layer, images));
    prepared ready = {choice, used};
    if (layer->kind == BNN_BYTES) {
        bnn_dots_run(layer, in, out, images, memory, dots);
    } else if (layer->kind == BNN_TERNARY && bnn_is_dense(layer)) {
        choose_ternary(in, images * layer->in_image / 2, choice);
        ready.used = bnn_count_used(layer, in, images, used);
        bnn_walk(layer, in, out, images, &ready, ternary_tile);
    } else if (layer->kind == BNN_BITS && bnn_is_dense(layer)) {
        for (int pair = 0; pair < (images + 1) / 2; pair++) {
            choose_pairs((const uint64_t *)in + 2 * pair * layer->in_image, layer->in_image, layer->in_image,
                         (images - 2 * pair) * layer->in_image, choice + pair * layer->in_image * NIBBLES);
        }
        bnn_walk(layer, in, out, images, &ready, bits_tile);
    } else {
        for (int image = 0; image < images; image++) {
            const uint64_t *map = (const uint64_t *)in + image * layer->in_image;
            uint64_t *to = (uint64_t *)out + image * layer->out_image;
            if (layer->kind == BNN_TERNARY) {
                choose_ternary(map, layer->in_image / 2, choice);
                ready.used = bnn_count_used(layer, map, 1, used);
                bnn_walk(layer, map, to, 1, &ready, ternary_tile);
            } else {
                choose_pairs(map, layer->in_image, layer->in_column, layer->in_image, choice);
                bnn_walk(layer, map, to, 1, &ready, bits_tile);
            }
        }
    }
}

const bnn_variant bnn_avx2 = {"avx2", packed, pack, scratch, run};

#include "untarget.h"
#endif
