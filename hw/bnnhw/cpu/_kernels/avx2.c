/* x86-64 with AVX2, which cannot count bits: a byte shuffle looks counts up instead, by 4 weights at a time.
 *
 * Lanes are neurons, one byte each. The 4 weight bits of a neuron are the index into a table of 16 bytes, and
 * the activations choose the table: its entry w is the number of inputs that differ from the weights w. There
 * is room for two counts in a byte, so one table serves two neighbouring windows, the first in the low four
 * bits; it is chosen by 4 activations of each, which makes 256 tables. For ternary inputs the 256 tables are
 * chosen by 4 signs and 4 "is not zero", and serve one window. They also serve a single image of a dense layer, which
 * has no second window.
 *
 * Three look-ups fit four bits (12). Then the sums are added up whole, modulo 256, and the upper halves once more
 * by themselves; the lower halves are what remains. After 3 words (192), bytes are widened.
 *
 * Bytes are multiplied two at a time, which gives a lane of 16 bits for each neuron. Values of 16 bits, as nearly all
 * layers have, are compared with limits of 16 bits, and two registers of them are packed to the bits of 32 neurons.
 *
 * Packed: int16 limits [threshold][group][lane]; then int32 offsets [word of a window] and bytes
 * [group][plane][word][16][byte], the four bits in the order of spread(); or for layers that see bytes, int8
 * [group][pair of inputs][lane][2].
 */
#include "platform.h"
#if BNN_X86
#define BNN_TARGET "popcnt,avx2"
#include "tuning.h"

#include <immintrin.h>
#include <string.h>

#define BNN_POPCOUNT(word) (uint64_t)__builtin_popcountll(word)
#include "dots.h"
#include "store.h"
#include "used.h"
#include "variants.h"
#include "walk.h"

/* Keep a sum in its register and its place; compilers regroup sums until they run out of registers. */
#define PIN(vector) __asm__("" : "+x"(vector))

enum { NIBBLES = 16, WIDEN = 3, REGISTERS = 4 };

/* What a table counts for: two windows, one window, or one of ternary inputs. */
enum { PAIRS, SINGLE, TERNARY };

/* tables[choice][weights]; see above. */
#define COUNT(bits) (((bits) & 1) + ((bits) >> 1 & 1) + ((bits) >> 2 & 1) + ((bits) >> 3 & 1))
#define PAIR(choice, weights) (COUNT((choice) ^ (weights)) | COUNT((choice) >> 4 ^ (weights)) << 4)
#define MASKED(choice, weights) COUNT((choice) >> 4 & ((choice) ^ (weights)))
#define FOUR_OF(DO, c, w) DO(c, w), DO(c, (w) + 1), DO(c, (w) + 2), DO(c, (w) + 3)
#define TABLE(DO, c) {FOUR_OF(DO, c, 0), FOUR_OF(DO, c, 4), FOUR_OF(DO, c, 8), FOUR_OF(DO, c, 12)}
#define TABLES_4(DO, c) TABLE(DO, c), TABLE(DO, (c) + 1), TABLE(DO, (c) + 2), TABLE(DO, (c) + 3)
#define TABLES_16(DO, c) TABLES_4(DO, c), TABLES_4(DO, (c) + 4), TABLES_4(DO, (c) + 8), TABLES_4(DO, (c) + 12)
#define TABLES_64(DO, c) TABLES_16(DO, c), TABLES_16(DO, (c) + 16), TABLES_16(DO, (c) + 32), TABLES_16(DO, (c) + 48)
#define TABLES(DO) {TABLES_64(DO, 0), TABLES_64(DO, 64), TABLES_64(DO, 128), TABLES_64(DO, 192)}
static const uint8_t pair_tables[256][16] __attribute__((aligned(64))) = TABLES(PAIR);
static const uint8_t ternary_tables[256][16] __attribute__((aligned(64))) = TABLES(MASKED);

static int window_words(const bnn_layer *layer) { return layer->segments * layer->segment_length; }

static ptrdiff_t offsets_size(const bnn_layer *layer) {
    return ((ptrdiff_t)window_words(layer) * (ptrdiff_t)sizeof(int32_t) + 63) / 64 * 64;
}

/* Where a neuron of a group is among its lanes: packing 16 bits to 8 takes eights from two registers in turn, and so
 * leaves neurons in order. */
static int place(int neuron) { return neuron / 32 * 32 + neuron / 8 % 2 * 16 + neuron / 16 % 2 * 8 + neuron % 8; }

/* The byte that becomes this lane: even bytes become the first register of two, odd ones the second. */
static int byte_of(int lane) { return lane / 32 * 32 + lane % 16 * 2 + lane / 16 % 2; }

static ptrdiff_t limits_size(const bnn_layer *layer) {
    return (layer->result == BNN_TWO_BIT ? 2 : 1) * (ptrdiff_t)layer->groups * BNN_GROUP;
}

BNN_INLINE const int16_t *limits_of(const bnn_layer *layer, int threshold, int group) {
    return (const int16_t *)layer->weights + ((ptrdiff_t)threshold * layer->groups + group) * BNN_GROUP;
}

/* What follows the limits. */
BNN_INLINE const void *packed_of(const bnn_layer *layer) { return (const int16_t *)layer->weights + limits_size(layer); }

static ptrdiff_t pairs(const bnn_layer *layer) { return 2 * bnn_dots_steps(layer); }

static size_t packed(const bnn_layer *layer) {
    size_t bytes = (size_t)offsets_size(layer) +
                   (size_t)layer->groups * (size_t)layer->planes * (size_t)window_words(layer) * NIBBLES * BNN_GROUP;
    if (layer->kind == BNN_BYTES) bytes = bnn_dots_packed(layer);
    return (size_t)limits_size(layer) * sizeof(int16_t) + bytes;
}

/* Values of 16 bits compare with these as with the limits themselves. */
static void pack_limits(const bnn_layer *layer, int16_t *limit) {
    for (ptrdiff_t i = 0; i < limits_size(layer); i++) {
        const int32_t given = layer->limits[i];
        limit[i / BNN_GROUP * BNN_GROUP + place((int)(i % BNN_GROUP))] =
            (int16_t)(given > INT16_MAX ? INT16_MAX : given < INT16_MIN ? INT16_MIN : given);
    }
}

/* Where four bits of a word go: spread() yields the even ones first. */
static int order(int nibble) { return nibble / 2 + nibble % 2 * (NIBBLES / 2); }

static void pack(const bnn_layer *layer, const bnn_rows *rows, void *to) {
    const int window = window_words(layer);
    int32_t *offset = (int32_t *)((int16_t *)to + limits_size(layer));
    uint8_t *weight = (uint8_t *)offset + offsets_size(layer);
    pack_limits(layer, to);
    if (layer->kind == BNN_BYTES) {
        bnn_dots_pack(layer, rows->bytes, place, 2, (int8_t *)offset);
        return;
    }
    for (int word = 0; word < window; word++) {
        const ptrdiff_t step = layer->kind == BNN_TERNARY ? 2 : 1;
        offset[word] = (int32_t)((word / layer->segment_length * layer->in_row) / step + word % layer->segment_length) * NIBBLES;
    }
    for (int plane = 0; plane < layer->planes; plane++) {
        for (int output = 0; output < layer->outputs; output++) {
            const uint64_t *bits = rows->bits + (plane * (ptrdiff_t)layer->outputs + output) * window;
            const ptrdiff_t first = (ptrdiff_t)(output / BNN_GROUP * layer->planes + plane) * window;
            const int byte = byte_of(place(output % BNN_GROUP));
            for (int word = 0; word < window; word++) {
                for (int nibble = 0; nibble < NIBBLES; nibble++) {
                    weight[((first + word) * NIBBLES + order(nibble)) * BNN_GROUP + byte] =
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

/* Choices for one window: as if no input were zero. */
static void choose_single(const uint64_t *in, ptrdiff_t count, uint16_t *choice) {
    for (ptrdiff_t i = 0; i < count; i++) spread(in[i], ~(uint64_t)0, choice + i * NIBBLES);
}

static void choose_ternary(const uint64_t *in, ptrdiff_t words, uint16_t *choice) {
    for (ptrdiff_t i = 0; i < words; i++) spread(in[2 * i], in[2 * i + 1], choice + i * NIBBLES);
}

BNN_INLINE __m256i load(const void *from) { return _mm256_loadu_si256(from); }

/* A table, in both halves of a register. */
BNN_INLINE __m256i table(const uint8_t (*tables)[16], const uint16_t *choice) {
    return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)((const uint8_t *)tables + *choice)));
}

/* Add to 32 sums: 16 of even bytes, 16 of odd ones. */
BNN_INLINE void add(__m256i even, __m256i odd, uint16_t *sum) {
    _mm256_storeu_si256((__m256i *)sum, _mm256_add_epi16(load(sum), even));
    _mm256_storeu_si256((__m256i *)(sum + 16), _mm256_add_epi16(load(sum + 16), odd));
}

/* Part the sums of the first window, in the lower four bits of bytes, from those of the second. `all` are the sums of
 * whole bytes, modulo 256; `upper` those of bytes moved down by four bits, where an even one has got the lower bits
 * of its odd neighbour. */
BNN_INLINE void part(__m256i all, __m256i upper, uint16_t *first, uint16_t *second) {
    const __m256i byte = _mm256_set1_epi16(255);
#define LESS(from, nibbles) _mm256_and_si256(_mm256_sub_epi16(from, _mm256_slli_epi16(nibbles, 4)), byte)
    const __m256i odd_second = _mm256_srli_epi16(upper, 8);
    const __m256i odd_first = LESS(_mm256_srli_epi16(all, 8), odd_second);
    const __m256i even_second = LESS(upper, odd_first);
    const __m256i even_first = LESS(all, even_second);
#undef LESS
    add(even_first, odd_first, first);
    add(even_second, odd_second, second);
}

/* Add up to WIDEN words to the sums of a pair of windows. The variables end in the half of the group. */
BNN_INLINE void count_pair(const uint8_t *weight, const int32_t *offset, int words, const uint16_t *choice,
                           uint16_t (*sum)[BNN_GROUP]) {
    __m256i all0 = _mm256_setzero_si256(), all1 = all0, upper0 = all0, upper1 = all0;
#define SPLIT(half) \
    all##half = _mm256_add_epi8(all##half, some##half); \
    PIN(all##half); \
    upper##half = _mm256_add_epi8(upper##half, _mm256_srli_epi16(some##half, 4)); \
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
    part(all0, upper0, sum[0], sum[1]);
    part(all1, upper1, sum[0] + 32, sum[1] + 32);
}

/* The same for a single window, or one of ternary inputs. */
BNN_INLINE void count_single(const uint8_t *weight, const int32_t *offset, int words, const uint16_t *choice,
                             uint16_t *sum) {
    __m256i low = _mm256_setzero_si256(), high = low;
    for (int word = 0; word < words; word++, weight += NIBBLES * BNN_GROUP) {
        const uint16_t *at = choice + offset[word];
        for (int i = 0; i < NIBBLES; i++) {
            const __m256i counts = table(ternary_tables, at + i);
            low = _mm256_add_epi8(low, _mm256_shuffle_epi8(counts, load(weight + i * BNN_GROUP)));
            PIN(low);
            high = _mm256_add_epi8(high, _mm256_shuffle_epi8(counts, load(weight + i * BNN_GROUP + 32)));
            PIN(high);
        }
    }
    const __m256i byte = _mm256_set1_epi16(255);
    add(_mm256_and_si256(low, byte), _mm256_srli_epi16(low, 8), sum);
    add(_mm256_and_si256(high, byte), _mm256_srli_epi16(high, 8), sum + 32);
}

/* Values of a group, 16 bits each, in the order of place(). */
typedef struct {
    __m256i r[REGISTERS];
} group_values;

BNN_INLINE uint64_t fired(group_values value, const int16_t *limit) {
    __m256i below[REGISTERS];
    for (int r = 0; r < REGISTERS; r++) below[r] = _mm256_cmpgt_epi16(load(limit + 16 * r), value.r[r]);
    const __m256i low = _mm256_packs_epi16(below[0], below[1]), high = _mm256_packs_epi16(below[2], below[3]);
    return (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32 | (uint32_t)_mm256_movemask_epi8(low);
}

BNN_INLINE void store(const bnn_layer *layer, int group, group_values value, uint64_t *out) {
    const uint64_t lower = fired(value, limits_of(layer, 0, group));
    if (layer->result == BNN_ONE_BIT) {
        *out = lower;
    } else {
        bnn_store_ternary(lower, fired(value, limits_of(layer, 1, group)), out);
    }
}

/* Whether values fit 16 bits and become bits. */
BNN_INLINE int is_short(const bnn_layer *layer) {
    return layer->result <= BNN_TWO_BIT && layer->planes * (ptrdiff_t)window_words(layer) <= INT16_MAX / 64;
}

/* Add sums to values in the order of neurons, and start them again. */
static void carry(uint16_t *sum, int neurons, int32_t *value) {
    for (int i = 0; i < neurons; i++) value[i] += sum[place(i)];
    memset(sum, 0, BNN_GROUP * sizeof *sum);
}

/* Sums of 16 bits are full after this many words. */
enum { CARRY = 65535 / 64 / WIDEN * WIDEN };

/* Count the inputs that differ from their weights, into sums of 16 bits, or into `value` if there is one. */
BNN_INLINE void count(const bnn_layer *layer, int group, const uint16_t *const *window, int mode, int windows,
                      uint16_t (*sum)[BNN_GROUP], int32_t (*value)[BNN_GROUP]) {
    const int window_size = window_words(layer);
    const int32_t *offset = packed_of(layer);
    const uint8_t *weight = (const uint8_t *)offset + offsets_size(layer) +
                            (ptrdiff_t)group * layer->planes * window_size * NIBBLES * BNN_GROUP;
    const int left = layer->outputs - group * BNN_GROUP, neurons = left < BNN_GROUP ? left : BNN_GROUP;
    for (int plane = 0; plane < layer->planes; plane++) {
        for (int word = 0; word < window_size; word += WIDEN) {
            const int some = window_size - word < WIDEN ? window_size - word : WIDEN;
            if (mode != PAIRS) {
                for (int w = 0; w < windows; w++) count_single(weight, offset + word, some, window[w], sum[w]);
            } else {
                count_pair(weight, offset + word, some, window[0], sum);
                if (windows > 2) count_pair(weight, offset + word, some, window[2], sum + 2);
            }
            weight += some * NIBBLES * BNN_GROUP;
            if (word % CARRY != CARRY - WIDEN) continue;
            for (int w = 0; value && w < windows; w++) carry(sum[w], neurons, value[w]);
        }
        for (int w = 0; value && w < windows; w++) carry(sum[w], neurons, value[w]);
    }
}

typedef struct {
    const uint16_t *choice;
    const int32_t *used;
} prepared;

BNN_INLINE void short_tile(const bnn_layer *layer, const bnn_span *span, uint64_t *out, const uint16_t *const *window,
                           const int32_t *const *used, int mode, int windows) {
    uint16_t sum[BNN_TILE][BNN_GROUP];
    group_values value[BNN_TILE];
    for (int w = 0; w < windows + windows % 2; w++) { /* of an odd last window the pair is counted, too */
        for (int r = 0; r < REGISTERS; r++) _mm256_storeu_si256((__m256i *)(sum[w] + 16 * r), _mm256_setzero_si256());
    }
    count(layer, span->group, window, mode, windows, sum, NULL);
    for (int w = 0; w < windows; w++) {
        const __m256i beta = _mm256_set1_epi16((int16_t)layer->beta);
        const __m256i offset = _mm256_set1_epi16((int16_t)(mode == TERNARY ? layer->alpha * *used[w] : 0));
        for (int r = 0; r < REGISTERS; r++) {
            value[w].r[r] = load(sum[w] + 16 * r);
            if (mode == TERNARY) value[w].r[r] = _mm256_sub_epi16(_mm256_mullo_epi16(value[w].r[r], beta), offset);
        }
    }
    if (layer->pooled) {
        for (int w = 1; w < 4; w++) {
            for (int r = 0; r < REGISTERS; r++) value[0].r[r] = _mm256_min_epi16(value[0].r[r], value[w].r[r]);
        }
        windows = 1;
    }
    for (int w = 0; w < windows; w++) store(layer, span->group, value[w], out + w * span->out_step);
}

static void long_tile(const bnn_layer *layer, const bnn_span *span, void *out, const uint16_t *const *window,
                      const int32_t *const *used, int mode, int windows) {
    uint16_t sum[BNN_TILE][BNN_GROUP] = {{0}};
    int32_t value[BNN_TILE][BNN_GROUP] = {{0}};
    count(layer, span->group, window, mode, windows, sum, value);
    for (int w = 0; mode == TERNARY && w < windows; w++) {
        for (int i = 0; i < BNN_GROUP; i++) value[w][i] = layer->beta * value[w][i] - layer->alpha * *used[w];
    }
    if (layer->pooled) {
        bnn_least(value);
        windows = 1;
    }
    for (int w = 0; w < windows; w++) bnn_store(layer, span->group, value[w], out, span->out + w * span->out_step);
}

BNN_INLINE void tile(const bnn_layer *layer, const bnn_span *span, void *out, const prepared *ready, int mode) {
    const int step = mode == TERNARY ? 2 : 1, dense = bnn_is_dense(layer);
    /* A dense layer has choices for each pair of images only. */
    const int images = dense && mode == PAIRS ? 2 : 1;
    const uint16_t *window[BNN_TILE] = {0};
    const int32_t *used[BNN_TILE] = {0};
    int windows = span->positions;
    const uint16_t *first = ready->choice + span->in / (step * images) * NIBBLES;
    for (int w = 0; w < windows; w++) window[w] = first + w * span->in_step / (step * images) * NIBBLES;
    if (layer->pooled) {
        windows = 4;
        for (int w = 0; w < windows; w++) {
            window[w] = first + (w / 2 * layer->in_line + w % 2 * layer->in_column) / step * NIBBLES;
        }
    }
    if (mode == TERNARY) bnn_used_of(layer, span, ready->used, used);
    if (is_short(layer)) {
        short_tile(layer, span, (uint64_t *)out + span->out, window, used, mode, windows);
    } else {
        long_tile(layer, span, out, window, used, mode, windows);
    }
}

static void bits_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *ready) {
    (void)in;
    tile(layer, span, out, ready, PAIRS);
}

static void single_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *ready) {
    (void)in;
    tile(layer, span, out, ready, SINGLE);
}

static void ternary_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *ready) {
    (void)in;
    tile(layer, span, out, ready, TERNARY);
}

BNN_INLINE __m256i two_bytes(const uint8_t *row) {
    int16_t two;
    memcpy(&two, row, sizeof two);
    return _mm256_set1_epi16(two);
}

/* Multiply one or two (a constant) gathered rows, `row` bytes apart, with a group's weights. */
BNN_INLINE void multiply(const uint8_t *rows, ptrdiff_t row, int count, const int8_t *weight, ptrdiff_t most,
                         group_values *result) {
    const __m256i zero = _mm256_setzero_si256();
    __m256i s00 = zero, s01 = zero, s02 = zero, s03 = zero, s10 = zero, s11 = zero, s12 = zero, s13 = zero;
#define ADD(r) \
    { \
        const __m256i some = load(weight + 32 * r); \
        s0##r = _mm256_add_epi16(s0##r, _mm256_maddubs_epi16(bytes0, some)); \
        if (count == 2) s1##r = _mm256_add_epi16(s1##r, _mm256_maddubs_epi16(bytes1, some)); \
    }
    for (ptrdiff_t pair = 0; pair < most; pair++, rows += 2, weight += 2 * BNN_GROUP) {
        const __m256i bytes0 = two_bytes(rows), bytes1 = count == 2 ? two_bytes(rows + row) : zero;
        ADD(0) ADD(1) ADD(2) ADD(3)
    }
#undef ADD
    result[0] = (group_values){{s00, s01, s02, s03}};
    if (count == 2) result[1] = (group_values){{s10, s11, s12, s13}};
}

/* One row of any length, or of any result. */
static void dot(const bnn_layer *layer, int group, const uint8_t *row, const int8_t *weight, void *out, ptrdiff_t at) {
    int32_t value[BNN_GROUP] = {0};
    for (ptrdiff_t left = pairs(layer); left > 0; left -= BNN_SHORT_FAN_IN / 2) {
        const ptrdiff_t some = left < BNN_SHORT_FAN_IN / 2 ? left : BNN_SHORT_FAN_IN / 2;
        group_values sum;
        int16_t stored[BNN_GROUP];
        multiply(row, 0, 1, weight, some, &sum);
        memcpy(stored, &sum, sizeof stored);
        for (int i = 0; i < BNN_GROUP; i++) value[i] += stored[place(i)];
        row += 2 * some;
        weight += 2 * BNN_GROUP * some;
    }
    bnn_store(layer, group, value, out, at);
}

static void dots(const bnn_layer *layer, int group, const uint8_t *rows, int count, void *out, ptrdiff_t at,
                 ptrdiff_t out_step) {
    const ptrdiff_t row = 2 * pairs(layer);
    const int8_t *weight = (const int8_t *)packed_of(layer) + group * row * BNN_GROUP;
    group_values value[2];
    if (layer->result > BNN_TWO_BIT || row > BNN_SHORT_FAN_IN) {
        for (; count > 0; count--, rows += row, at += out_step) dot(layer, group, rows, weight, out, at);
        return;
    }
    for (; count > 1; count -= 2, rows += 2 * row, at += 2 * out_step) {
        multiply(rows, row, 2, weight, pairs(layer), value);
        store(layer, group, value[0], (uint64_t *)out + at);
        store(layer, group, value[1], (uint64_t *)out + at + out_step);
    }
    if (count == 1) {
        multiply(rows, row, 1, weight, pairs(layer), value);
        store(layer, group, value[0], (uint64_t *)out + at);
    }
}

static void evaluate(const bnn_layer *layer, const void *in, void *out, int images, void *memory) {
    uint16_t *choice = memory;
    int32_t *used = (int32_t *)((char *)memory + choices(layer, images));
    prepared ready = {choice, used};
    if (layer->kind == BNN_BYTES) {
        bnn_dots_evaluate(layer, in, out, images, memory, dots);
    } else if (layer->kind == BNN_TERNARY && bnn_is_dense(layer)) {
        choose_ternary(in, images * layer->in_image / 2, choice);
        ready.used = bnn_count_used(layer, in, images, used);
        bnn_walk(layer, in, out, images, &ready, ternary_tile);
    } else if (bnn_is_dense(layer) && images == 1) {
        choose_single(in, layer->in_image, choice);
        bnn_walk(layer, in, out, 1, &ready, single_tile);
    } else if (bnn_is_dense(layer)) {
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

const bnn_variant bnn_avx2 = {"avx2", packed, pack, scratch, evaluate};

#include "untarget.h"
#endif
