/* Turn a group's values into what the layer yields, one position at a time, without special instructions. */
#ifndef BNN_STORE_H
#define BNN_STORE_H

#include "bits.h"
#include "walk.h"

/* One bit a neuron: 1 where its value is below its limit. By way of bytes, as the comparisons then vectorise. */
BNN_INLINE uint64_t bnn_fired(const int32_t *value, const int32_t *limit) {
    uint8_t below[BNN_GROUP];
    for (int i = 0; i < BNN_GROUP; i++) below[i] = value[i] < limit[i] ? 255 : 0;
    return bnn_top_bits_64(below);
}

/* Limits of a group: those of the lower threshold, and further on those of the upper. */
BNN_INLINE const int32_t *bnn_limits(const bnn_layer *layer, int threshold, int group) {
    return layer->limits + ((ptrdiff_t)threshold * layer->groups + group) * BNN_GROUP;
}

/* Above the lower threshold is 0 or +1, above the upper is +1: as sign and "is not zero". */
BNN_INLINE void bnn_store_ternary(uint64_t lower, uint64_t upper, uint64_t *out) {
    out[0] = upper;
    out[1] = upper | ~lower;
}

/* Scores or flags of up to `most` neurons from number `first` on. */
BNN_INLINE void bnn_store_scores(const bnn_layer *layer, int first, int most, const int32_t *value, int32_t *out) {
    const int count = layer->outputs - first < most ? layer->outputs - first : most;
    if (layer->result == BNN_SCORES) {
        for (int i = 0; i < count; i++) out[i] = layer->base[first + i] - layer->scale * value[i];
    } else {
        for (int i = 0; i < count; i++) out[i] = value[i] < layer->limits[first + i];
    }
}

BNN_INLINE void bnn_store(const bnn_layer *layer, int group, const int32_t *value, void *out, ptrdiff_t at) {
    switch (layer->result) {
    case BNN_ONE_BIT:
        ((uint64_t *)out)[at] = bnn_fired(value, bnn_limits(layer, 0, group));
        break;
    case BNN_TWO_BIT:
        bnn_store_ternary(bnn_fired(value, bnn_limits(layer, 0, group)),
                          bnn_fired(value, bnn_limits(layer, 1, group)), (uint64_t *)out + at);
        break;
    default:
        bnn_store_scores(layer, group * BNN_GROUP, BNN_GROUP, value, (int32_t *)out + at);
    }
}

/* How a variant keeps the values of a tile's windows is its own affair. So it says what is specific to that: how the
 * smallest of the four windows of a pooled position comes into the first, and how one window's values are stored. */
typedef void bnn_least(void *values);
typedef void bnn_store_window(const bnn_layer *layer, int group, const void *values, int window, void *out, ptrdiff_t at);

/* Store what becomes of the values of a tile: every variant's tile ends in this. Where the number of windows is a
 * constant, the values may be in registers, and stay there. */
BNN_INLINE void bnn_store_span(const bnn_layer *layer, const bnn_span *span, int windows, void *values,
                               bnn_least *least, bnn_store_window *store, void *out) {
    if (layer->pooled && (windows == 4 || !BNN_CONSTANT(windows))) {
        least(values);
        store(layer, span->group, values, 0, out, span->out);
    } else if (BNN_CONSTANT(windows)) {
        BNN_EACH(w, windows) store(layer, span->group, values, w, out, span->out + w * span->out_step);
    } else {
        for (int w = 0; w < windows; w++) store(layer, span->group, values, w, out, span->out + w * span->out_step);
    }
}

/* Both for values that are int32 [window][BNN_GROUP]. */
BNN_INLINE void bnn_least_int32(void *values) {
    int32_t(*value)[BNN_GROUP] = values;
    for (int i = 0; i < BNN_GROUP; i++) {
        for (int w = 1; w < 4; w++) value[0][i] = value[w][i] < value[0][i] ? value[w][i] : value[0][i];
    }
}

BNN_INLINE void bnn_store_int32(const bnn_layer *layer, int group, const void *values, int window, void *out,
                                ptrdiff_t at) {
    bnn_store(layer, group, (const int32_t *)values + window * BNN_GROUP, out, at);
}

#endif
