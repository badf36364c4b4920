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
 * avx2_packing.h says how all that lies in memory, avx2_counting.h holds the operations; here are the loops.
 */
#include "platform.h"
#if BNN_X86
#define BNN_TARGET "popcnt,avx2"
#include "tuning.h"

#include "avx2_counting.h"
#include "avx2_packing.h"

#define BNN_POPCOUNT(word) (uint64_t)__builtin_popcountll(word)
#include "dots.h"
#include "store.h"
#include "used.h"
#include "variants.h"
#include "walk.h"

/* What a table counts for: two windows, one window, or one of ternary inputs. */
enum { PAIRS, SINGLE, TERNARY };

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

BNN_INLINE void store(const bnn_layer *layer, int group, group_values value, uint64_t *out) {
    const uint64_t lower = fired(value, limits_of(layer, 0, group));
    if (layer->result == BNN_ONE_BIT) {
        *out = lower;
    } else {
        bnn_store_ternary(lower, fired(value, limits_of(layer, 1, group)), out);
    }
}

BNN_INLINE void store_window(const bnn_layer *layer, int group, const void *values, int window, void *out,
                             ptrdiff_t at) {
    store(layer, group, ((const group_values *)values)[window], (uint64_t *)out + at);
}

/* The smallest value of each neuron in the four windows of a pooled position. */
BNN_INLINE void least(void *values) {
    group_values *v = values;
    BNN_EACH(r, REGISTERS) {
        const __m256i upper = _mm256_min_epi16(v[0].r[r], v[1].r[r]), lower = _mm256_min_epi16(v[2].r[r], v[3].r[r]);
        v[0].r[r] = _mm256_min_epi16(upper, lower);
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

BNN_INLINE void short_tile(const bnn_layer *layer, const bnn_span *span, void *out, const uint16_t *const *window,
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
    bnn_store_span(layer, span, windows, value, least, store_window, out);
}

static void long_tile(const bnn_layer *layer, const bnn_span *span, void *out, const uint16_t *const *window,
                      const int32_t *const *used, int mode, int windows) {
    uint16_t sum[BNN_TILE][BNN_GROUP] = {{0}};
    int32_t value[BNN_TILE][BNN_GROUP] = {{0}};
    count(layer, span->group, window, mode, windows, sum, value);
    for (int w = 0; mode == TERNARY && w < windows; w++) {
        for (int i = 0; i < BNN_GROUP; i++) value[w][i] = layer->beta * value[w][i] - layer->alpha * *used[w];
    }
    bnn_store_span(layer, span, windows, value, bnn_least_int32, bnn_store_int32, out);
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
        short_tile(layer, span, out, window, used, mode, windows);
    } else {
        long_tile(layer, span, out, window, used, mode, windows);
    }
}

BNN_TILE_FUNCTION void bits_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *ready) {
    (void)in;
    tile(layer, span, out, ready, PAIRS);
}

BNN_TILE_FUNCTION void single_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *ready) {
    (void)in;
    tile(layer, span, out, ready, SINGLE);
}

BNN_TILE_FUNCTION void ternary_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *ready) {
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
    group_values sum[2];
    BNN_EACH(w, 2) BNN_EACH(r, REGISTERS) sum[w].r[r] = zero;
    for (ptrdiff_t pair = 0; pair < most; pair++, rows += 2, weight += 2 * BNN_GROUP) {
        const __m256i bytes[2] = {two_bytes(rows), count == 2 ? two_bytes(rows + row) : zero};
        BNN_EACH(r, REGISTERS) {
            const __m256i some = load(weight + 32 * r);
            BNN_EACH(w, count) sum[w].r[r] = _mm256_add_epi16(sum[w].r[r], _mm256_maddubs_epi16(bytes[w], some));
        }
    }
    BNN_EACH(w, count) result[w] = sum[w];
}

/* Pairs of inputs of a gathered row. */
static ptrdiff_t pairs(const bnn_layer *layer) { return 2 * bnn_dots_steps(layer); }

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

static void evaluate(const bnn_layer *layer, const void *in, void *out, int images, void *memory, bnn_watch *watch) {
    uint16_t *choice = memory;
    int32_t *used = (int32_t *)((char *)memory + choices(layer, images));
    prepared ready = {choice, used};
    if (layer->kind == BNN_BYTES) {
        bnn_dots_evaluate(layer, in, out, images, memory, watch, dots);
    } else if (layer->kind == BNN_TERNARY && bnn_is_dense(layer)) {
        choose_ternary(in, images * layer->in_image / 2, choice);
        ready.used = bnn_count_used(layer, in, images, used, watch);
        bnn_walk(layer, in, out, images, &ready, watch, ternary_tile);
    } else if (bnn_is_dense(layer) && images == 1) {
        choose_single(in, layer->in_image, choice);
        bnn_walk(layer, in, out, 1, &ready, watch, single_tile);
    } else if (bnn_is_dense(layer)) {
        for (int pair = 0; pair < (images + 1) / 2; pair++) {
            choose_pairs((const uint64_t *)in + 2 * pair * layer->in_image, layer->in_image, layer->in_image,
                         (images - 2 * pair) * layer->in_image, choice + pair * layer->in_image * NIBBLES);
        }
        bnn_walk(layer, in, out, images, &ready, watch, bits_tile);
    } else {
        for (int image = 0; image < images; image++) {
            const uint64_t *map = (const uint64_t *)in + image * layer->in_image;
            uint64_t *to = (uint64_t *)out + image * layer->out_image;
            if (layer->kind == BNN_TERNARY) {
                choose_ternary(map, layer->in_image / 2, choice);
                ready.used = bnn_count_used(layer, map, 1, used, watch);
                bnn_walk(layer, map, to, 1, &ready, watch, ternary_tile);
            } else {
                choose_pairs(map, layer->in_image, layer->in_column, layer->in_image, choice);
                bnn_walk(layer, map, to, 1, &ready, watch, bits_tile);
            }
        }
    }
}

const bnn_variant bnn_avx2 = {"avx2", packed, pack, scratch, evaluate};

#include "untarget.h"
#endif
