/* The loops that all variants share: over groups of neurons, images, rows, and tiles of windows.
 *
 * A dense layer has one window an image, so there the images are the windows of one row.
 */
#ifndef BNN_WALK_H
#define BNN_WALK_H

#include "layer.h"
#include "platform.h"
#include "switches.h"
#include "watch.h"

/* Windows that a kernel handles at once. */
enum { BNN_TILE = 4 };

/* `windows` neighbouring positions (1 to BNN_TILE) for one group of neurons, or the single pooled position of
 * a 2x2 block. Offsets of windows are in elements of the input map, those of outputs in words or int32. */
typedef struct {
    int group;
    int positions;
    ptrdiff_t in, in_step; /* first window, and from one to the next (not used for a pooled position) */
    ptrdiff_t out, out_step;
    int image, row, column; /* of the first position */
} bnn_span;

BNN_INLINE int bnn_is_dense(const bnn_layer *layer) {
    return layer->rows == 1 && layer->columns == 1 && !layer->pooled;
}

/* Neurons of one output pixel, or one image's scores, lie `out_word` elements apart by group. */
BNN_INLINE ptrdiff_t bnn_out_word(const bnn_layer *layer) {
    switch (layer->result) {
    case BNN_ONE_BIT: return 1;
    case BNN_TWO_BIT: return 2;
    default: return BNN_GROUP;
    }
}

/* See BNN_TILE_INLINE. */
#if BNN_TILE_INLINE
#define BNN_TILE_FUNCTION BNN_INLINE
#else
#define BNN_TILE_FUNCTION static __attribute__((noinline))
#endif

typedef void bnn_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *scratch);

BNN_INLINE void bnn_walk(const bnn_layer *layer, const void *in, void *out, int images, void *scratch,
                         bnn_watch *watch, bnn_tile *tile) {
    const int dense = bnn_is_dense(layer);
    const int columns = dense ? images : layer->columns;
    const ptrdiff_t in_step = dense ? layer->in_image : layer->in_column;
    const ptrdiff_t out_step = dense ? layer->out_image : layer->out_column;
    const int most = layer->pooled ? 1 : BNN_TILE;
    const int block = layer->pooled ? 2 : 1;
    const int64_t work = bnn_work(layer);
    const int across = bnn_steps(work, columns, most), down = bnn_steps(work * columns, layer->rows, 1);
    if (dense) images = 1;
    for (int group = 0; group < layer->groups; group++) {
        for (int image = 0; image < images; image++) {
            /* A piece at a time: a whole image, or if that is much work, some rows, or some columns of one. */
            for (int top = 0; top < layer->rows; top += down) {
                const int bottom = layer->rows - top < down ? layer->rows : top + down;
                for (int left = 0; left < columns; left += across) {
                    const int right = columns - left < across ? columns : left + across;
                    if (!bnn_go_on(watch, work * (right - left) * (bottom - top))) return;
                    for (int row = top; row < bottom; row++) {
                        bnn_span span;
                        span.group = group;
                        span.in_step = in_step;
                        span.out_step = out_step;
                        for (int column = left; column < right; column += most) {
                            span.positions = right - column < most ? right - column : most;
                            span.in = image * layer->in_image + (ptrdiff_t)row * block * layer->in_line +
                                      (ptrdiff_t)column * block * in_step;
                            span.out = image * layer->out_image + layer->out_start + row * layer->out_row +
                                       column * out_step + group * bnn_out_word(layer);
                            span.image = image;
                            span.row = row;
                            span.column = column;
                            tile(layer, &span, in, out, scratch);
                        }
                    }
                }
            }
        }
    }
}

/* The windows of a span: of its positions, or the 2x2 block of a pooled one. Returns their number. */
BNN_INLINE int bnn_windows(const bnn_layer *layer, const bnn_span *span, const uint64_t *in, const uint64_t **window) {
    const uint64_t *first = in + span->in;
    if (layer->pooled) {
        window[0] = first;
        window[1] = first + layer->in_column;
        window[2] = first + layer->in_line;
        window[3] = first + layer->in_line + layer->in_column;
        return 4;
    }
    /* All, as a loop of constant length vanishes; those past the last are not used. */
    for (int w = 0; w < BNN_TILE; w++) window[w] = first + w * span->in_step;
    return span->positions;
}

#endif
