/* Ternary layers: the number of inputs that are not zero, counted once for each window and all neurons.
 *
 * The counts are int32 [image][row][column] of windows, before pooling.
 */
#ifndef BNN_USED_H
#define BNN_USED_H

#include "layer.h"
#include "walk.h"

BNN_INLINE int bnn_used_columns(const bnn_layer *layer) { return layer->columns << layer->pooled; }

BNN_INLINE ptrdiff_t bnn_used_image(const bnn_layer *layer) {
    return (ptrdiff_t)(layer->rows << layer->pooled) * bnn_used_columns(layer);
}

static inline size_t bnn_used_size(const bnn_layer *layer, int images) {
    return (size_t)images * (size_t)bnn_used_image(layer) * sizeof(int32_t);
}

/* The file that includes this says how bits are counted. */
BNN_INLINE void bnn_count_used(const bnn_layer *layer, const uint64_t *in, int images, int32_t *used) {
    for (int image = 0; image < images; image++) {
        for (int row = 0; row < layer->rows << layer->pooled; row++) {
            const uint64_t *window = in + image * layer->in_image + row * layer->in_line;
            for (int column = 0; column < bnn_used_columns(layer); column++, window += layer->in_column) {
                uint64_t sum = 0;
                for (int run = 0; run < layer->runs; run++) {
                    const uint64_t *at = window + run * layer->in_row;
                    for (int i = 0; i < layer->run; i++) sum += BNN_POPCOUNT(at[2 * i + 1]);
                }
                *used++ = (int32_t)sum;
            }
        }
    }
}

/* Where the counts of a span's windows are, in the order of bnn_windows. */
BNN_INLINE void bnn_used_of(const bnn_layer *layer, const bnn_span *span, const int32_t *used, const int32_t **of) {
    const ptrdiff_t columns = bnn_used_columns(layer);
    if (layer->pooled) {
        of[0] = used + span->image * bnn_used_image(layer) + 2 * span->row * columns + 2 * span->column;
        of[1] = of[0] + 1;
        of[2] = of[0] + columns;
        of[3] = of[2] + 1;
        return;
    }
    /* The positions of a dense layer are images, one window each. */
    for (int w = 0; w < span->positions; w++) {
        of[w] = used + span->image * bnn_used_image(layer) + span->row * columns + span->column + w;
    }
}

#endif
