/* Ternary layers: the number of inputs that are not zero, counted once for each window and all neurons.
 *
 * The counts are int32 [image][row][column] of windows, before pooling. Before them lies room for one image's sums
 * of the words of a pixel, [pixel], and of the pixels of a segment, [row of the map][column of windows]: so each word is
 * counted once, however many windows it is in.
 */
#ifndef BNN_USED_H
#define BNN_USED_H

#include "walk.h"

BNN_INLINE int bnn_used_columns(const bnn_layer *layer) { return layer->columns << layer->pooled; }

BNN_INLINE ptrdiff_t bnn_used_image(const bnn_layer *layer) {
    return (ptrdiff_t)(layer->rows << layer->pooled) * bnn_used_columns(layer);
}

/* Rows of the map, words of a pixel, and pixels of a row. What a dense layer sees is one pixel. */
BNN_INLINE int bnn_used_one(const bnn_layer *layer) { return layer->segments == 1 && bnn_is_dense(layer); }

BNN_INLINE int bnn_used_height(const bnn_layer *layer) {
    return bnn_used_one(layer) ? 1 : (int)(layer->in_image / layer->in_row);
}

BNN_INLINE int bnn_used_words(const bnn_layer *layer) { return layer->segment_length / layer->segments; }

BNN_INLINE int bnn_used_width(const bnn_layer *layer) {
    return bnn_used_one(layer) ? 1 : (int)(layer->in_row / (2 * bnn_used_words(layer)));
}

BNN_INLINE ptrdiff_t bnn_used_before(const bnn_layer *layer) {
    return bnn_used_width(layer) + (ptrdiff_t)bnn_used_height(layer) * bnn_used_columns(layer);
}

static inline size_t bnn_used_size(const bnn_layer *layer, int images) {
    return (size_t)(bnn_used_before(layer) + images * bnn_used_image(layer)) * sizeof(int32_t);
}

BNN_INLINE void bnn_used_add(const int32_t *restrict from, ptrdiff_t step, ptrdiff_t apart, int length, int count,
                             int32_t *restrict to) {
    for (int i = 0; i < count; i++) to[i] = from[i * step];
    for (int j = 1; j < length; j++) {
        for (int i = 0; i < count; i++) to[i] += from[i * step + j * apart];
    }
}

/* Sums of `length` neighbours, `apart`, at `count` places, `step` from one to the next. */
BNN_INLINE void bnn_used_sums(const int32_t *from, ptrdiff_t step, ptrdiff_t apart, int length, int count, int32_t *to) {
    if (step == 1) {
        bnn_used_add(from, 1, apart, length, count, to); /* as a constant, so that it vectorises */
    } else {
        bnn_used_add(from, step, apart, length, count, to);
    }
}

/* Returns the counts, which begin behind what they were made from. The file that includes this says how bits are
 * counted. */
BNN_INLINE int32_t *bnn_count_used(const bnn_layer *layer, const uint64_t *in, int images, int32_t *made,
                                   bnn_watch *watch) {
    const int words = bnn_used_words(layer), width = bnn_used_width(layer), height = bnn_used_height(layer);
    const int columns = bnn_used_columns(layer), rows = layer->rows << layer->pooled;
    const ptrdiff_t column = layer->in_column / (2 * words), line = layer->in_line / layer->in_row;
    const int64_t one_row = ((int64_t)width * words + (int64_t)columns * layer->segments) / BNN_GROUP;
    int32_t *pixel = made, *segment = made + width, *used = made + bnn_used_before(layer);
    for (int image = 0; image < images; image++) {
        for (int y = 0; y < height; y++) {
            if (!bnn_go_on(watch, one_row)) return used;
            const uint64_t *word = in + image * layer->in_image + y * layer->in_row + 1;
            for (int x = 0; x < width; x++, word += 2 * words) {
                uint64_t sum = BNN_POPCOUNT(word[0]);
                for (int i = 1; i < words; i++) sum += BNN_POPCOUNT(word[2 * i]);
                pixel[x] = (int32_t)sum;
            }
            bnn_used_sums(pixel, column, 1, layer->segments, columns, segment + y * columns);
        }
        for (int y = 0; y < rows; y++) {
            if (!bnn_go_on(watch, one_row)) return used;
            bnn_used_sums(segment + y * line * columns, 1, columns, layer->segments, columns,
                          used + image * bnn_used_image(layer) + y * columns);
        }
    }
    return used;
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
