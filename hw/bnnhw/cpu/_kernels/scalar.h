/* XNOR and popcount on 64-bit words, for any compiler. Included once with each way of counting bits:
 * define SCALAR_VARIANT, SCALAR_NAME and BNN_POPCOUNT first.
 *
 * Packed weights: words [output][plane][segment][word], as they are given; bytes as in bytes.h.
 */
#include <string.h>

#include "bytes.h"
#include "store.h"
#include "switches.h"
#include "variants.h"
#include "walk.h"

static ptrdiff_t words(const bnn_layer *layer) { return (ptrdiff_t)layer->planes * layer->segments * layer->segment_length; }

static size_t packed(const bnn_layer *layer) {
    if (layer->kind == BNN_BYTES) return bnn_bytes_packed(layer);
    return (size_t)layer->outputs * (size_t)words(layer) * sizeof(uint64_t);
}

static void pack(const bnn_layer *layer, const bnn_rows *rows, void *to) {
    const ptrdiff_t window = (ptrdiff_t)layer->segments * layer->segment_length;
    if (layer->kind == BNN_BYTES) {
        bnn_bytes_pack(layer, rows->bytes, to);
        return;
    }
    for (int output = 0; output < layer->outputs; output++) {
        for (int plane = 0; plane < layer->planes; plane++) {
            memcpy((uint64_t *)to + (output * layer->planes + plane) * window,
                   rows->bits + (plane * (ptrdiff_t)layer->outputs + output) * window,
                   (size_t)window * sizeof(uint64_t));
        }
    }
}

static size_t scratch(const bnn_layer *layer, int images) {
    (void)layer;
    (void)images;
    return 0;
}

/* Add the bits of a word of each of `count` windows, `at` words on, that differ from a neuron's weights. */
BNN_INLINE void add_word(uint64_t bits, const uint64_t *const *window, ptrdiff_t at, int ternary, int count,
                         uint64_t *sums) {
    for (int w = 0; w < count; w++) {
        const uint64_t *word = window[w] + at;
        sums[w] += BNN_POPCOUNT(ternary ? word[1] & (bits ^ word[0]) : bits ^ word[0]);
    }
}

/* Inputs that differ from one neuron's weights, for `count` windows; `ternary` and `count` are constants, and so is
 * whether there is one segment, which is long, or several; see BNN_UNROLL_SEGMENT. */
BNN_INLINE void differing(const bnn_layer *layer, const uint64_t *weight, const uint64_t *const *window,
                          int ternary, int count, int one_segment, int32_t *sum) {
    const int step = ternary ? 2 : 1;
    uint64_t sums[BNN_TILE] = {0};
    for (int plane = 0; plane < layer->planes; plane++) {
        if (one_segment) {
            BNN_UNROLL(BNN_UNROLL_SEGMENT)
            for (int i = 0; i < layer->segment_length; i++) add_word(*weight++, window, step * i, ternary, count, sums);
            continue;
        }
        for (int segment = 0; segment < layer->segments; segment++) {
            const ptrdiff_t from = segment * layer->in_row;
            for (int i = 0; i < layer->segment_length; i++) add_word(*weight++, window, from + step * i, ternary, count, sums);
        }
    }
    for (int w = 0; w < count; w++) sum[w] = (int32_t)sums[w];
}

static int32_t not_zero(const bnn_layer *layer, const uint64_t *window) {
    uint64_t sum = 0;
    for (int segment = 0; segment < layer->segments; segment++) {
        for (int i = 0; i < layer->segment_length; i++) sum += BNN_POPCOUNT(window[segment * layer->in_row + 2 * i + 1]);
    }
    return (int32_t)sum;
}

BNN_INLINE void values(const bnn_layer *layer, int group, const uint64_t *const *window, int ternary, int count,
                       int32_t (*value)[BNN_GROUP]) {
    const int first = group * BNN_GROUP;
    const int used = layer->outputs - first < BNN_GROUP ? layer->outputs - first : BNN_GROUP;
    const uint64_t *weight = (const uint64_t *)layer->weights + first * words(layer);
    int32_t offset[BNN_TILE] = {0}, sum[BNN_TILE];
    for (int w = 0; ternary && w < count; w++) offset[w] = layer->alpha * not_zero(layer, window[w]);
    for (int i = 0; i < used; i++, weight += words(layer)) {
        if (layer->segments == 1) {
            differing(layer, weight, window, ternary, count, 1, sum);
        } else {
            differing(layer, weight, window, ternary, count, 0, sum);
        }
        for (int w = 0; w < count; w++) value[w][i] = ternary ? layer->beta * sum[w] - offset[w] : sum[w];
    }
    for (int i = used; i < BNN_GROUP; i++) {
        for (int w = 0; w < count; w++) value[w][i] = 0;
    }
}

BNN_INLINE void tile(const bnn_layer *layer, const bnn_span *span, const uint64_t *in, void *out, int ternary) {
    const uint64_t *window[BNN_TILE] = {0};
    int32_t value[BNN_TILE][BNN_GROUP];
    switch (bnn_windows(layer, span, in, window)) {
    case 4: values(layer, span->group, window, ternary, 4, value); break;
    case 3: values(layer, span->group, window, ternary, 3, value); break;
    case 2: values(layer, span->group, window, ternary, 2, value); break;
    default: values(layer, span->group, window, ternary, 1, value);
    }
    bnn_store_span(layer, span, span->positions, value, bnn_least_int32, bnn_store_int32, out);
}

static void bits_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *unused) {
    (void)unused;
    tile(layer, span, in, out, 0);
}

static void ternary_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *unused) {
    (void)unused;
    tile(layer, span, in, out, 1);
}

static void evaluate(const bnn_layer *layer, const void *in, void *out, int images, void *memory, bnn_watch *watch) {
    switch (layer->kind) {
    case BNN_BYTES: bnn_walk(layer, in, out, images, memory, watch, bnn_bytes_tile); break;
    case BNN_BITS: bnn_walk(layer, in, out, images, memory, watch, bits_tile); break;
    default: bnn_walk(layer, in, out, images, memory, watch, ternary_tile);
    }
}

const bnn_variant SCALAR_VARIANT = {SCALAR_NAME, packed, pack, scratch, evaluate};
