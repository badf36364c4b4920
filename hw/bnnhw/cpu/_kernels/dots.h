/* Layers that see bytes, where an instruction multiplies and adds 4 neighbouring bytes a lane.
 *
 * Windows are gathered into rows of bytes, so that 27 inputs take 7 steps of 4 and not 9. Rows are a
 * multiple of 4 long; the bytes past a window may hold anything, as their weights are 0.
 * Packed weights: int8 [group][step][lane of BNN_GROUP][4], negated; or with 2 inputs instead of 4 a step.
 */
#ifndef BNN_DOTS_H
#define BNN_DOTS_H

#include <string.h>

#include "switches.h"
#include "walk.h"

/* Bytes that a gathered row may spill over its end. */
enum { BNN_SPILL = BNN_READ_PAST };

/* Evaluate one group for some gathered rows, `out_step` apart in the output. */
typedef void bnn_dots(const bnn_layer *layer, int group, const uint8_t *rows, int count, void *out, ptrdiff_t at,
                      ptrdiff_t out_step);

static inline ptrdiff_t bnn_dots_steps(const bnn_layer *layer) {
    return ((ptrdiff_t)layer->segments * layer->segment_length + 3) / 4;
}

static inline size_t bnn_dots_packed(const bnn_layer *layer) {
    return (size_t)layer->groups * (size_t)bnn_dots_steps(layer) * BNN_GROUP * 4;
}

/* `place` says where a neuron of a group goes among its lanes, `inputs` how many a step takes. */
static inline void bnn_dots_pack(const bnn_layer *layer, const int8_t *rows, int (*place)(int), int inputs,
                                 int8_t *packed) {
    const ptrdiff_t fan_in = (ptrdiff_t)layer->segments * layer->segment_length, steps = 4 / inputs * bnn_dots_steps(layer);
    for (int output = 0; output < layer->outputs; output++) {
        const int group = output / BNN_GROUP, lane = place(output % BNN_GROUP);
        for (ptrdiff_t i = 0; i < fan_in; i++) {
            packed[((group * steps + i / inputs) * BNN_GROUP + lane) * inputs + i % inputs] = rows[output * fan_in + i];
        }
    }
}

/* Rows gathered at a time: enough to fill tiles, few enough to stay in the first-level cache. */
static inline int bnn_dots_rows(const bnn_layer *layer) {
    const ptrdiff_t fit = 8192 / (4 * bnn_dots_steps(layer));
    return fit < BNN_TILE ? BNN_TILE : fit > 128 ? 128 : (int)fit / BNN_TILE * BNN_TILE;
}

static inline size_t bnn_dots_scratch(const bnn_layer *layer) {
    return (size_t)bnn_dots_rows(layer) * (size_t)bnn_dots_steps(layer) * 4 + BNN_SPILL;
}

/* Copy windows in steps of 16 bytes, in ascending order: what spills over is overwritten by the next
 * segment. `segments` is layer->segments, or a constant; see BNN_COPY_THREE. */
BNN_INLINE void bnn_dots_copy(const bnn_layer *layer, const uint8_t *window, ptrdiff_t step, int count, int segments,
                              uint8_t *rows) {
    const ptrdiff_t row = 4 * bnn_dots_steps(layer), in_row = layer->in_row;
    const int length = layer->segment_length;
    for (int i = 0; i < count; i++, window += step, rows += row) {
        for (int segment = 0; segment < segments; segment++) {
            uint8_t *to = rows + segment * length;
            const uint8_t *from = window + segment * in_row;
            memcpy(to, from, BNN_SPILL);
            for (int byte = BNN_SPILL; byte < length; byte += BNN_SPILL) memcpy(to + byte, from + byte, BNN_SPILL);
        }
    }
}

BNN_INLINE void bnn_dots_gather(const bnn_layer *layer, const uint8_t *window, ptrdiff_t step, int count,
                                uint8_t *rows) {
    if (BNN_COPY_THREE && layer->segments == 3 && layer->segment_length <= BNN_SPILL) {
        bnn_dots_copy(layer, window, step, count, 3, rows);
    } else {
        bnn_dots_copy(layer, window, step, count, layer->segments, rows);
    }
}

BNN_INLINE void bnn_dots_evaluate(const bnn_layer *layer, const uint8_t *in, void *out, int images, uint8_t *rows,
                             bnn_watch *watch, bnn_dots *dots) {
    const int dense = layer->rows == 1 && layer->columns == 1;
    const int columns = dense ? images : layer->columns;
    const int most = bnn_dots_rows(layer);
    const int64_t window = (int64_t)layer->segments * layer->segment_length;
    const ptrdiff_t in_step = dense ? layer->in_image : layer->in_column;
    const ptrdiff_t out_step = dense ? layer->out_image : layer->out_column;
    const ptrdiff_t word = layer->result == BNN_ONE_BIT ? 1 : layer->result == BNN_TWO_BIT ? 2 : BNN_GROUP;
    if (dense) images = 1;
    for (int image = 0; image < images; image++) {
        for (int row = 0; row < layer->rows; row++) {
            const uint8_t *line = in + image * layer->in_image + row * layer->in_line;
            const ptrdiff_t to = image * layer->out_image + layer->out_start + row * layer->out_row;
            for (int column = 0; column < columns; column += most) {
                const int count = columns - column < most ? columns - column : most;
                bnn_dots_gather(layer, line + column * in_step, in_step, count, rows);
                for (int group = 0; group < layer->groups; group++) {
                    if (!bnn_go_on(watch, window * count)) return;
                    dots(layer, group, rows, count, out, to + column * out_step + group * word, out_step);
                }
            }
        }
    }
}

#endif
