/* Layers that see bytes, for any compiler: the lanes are neurons, and the loops over them vectorise.
 *
 * Packed weights: int16 [group][input][BNN_GROUP], negated, 0 for unused neurons.
 */
#ifndef BNN_BYTES_H
#define BNN_BYTES_H

#include <string.h>

#include "store.h"
#include "walk.h"

static inline size_t bnn_bytes_packed(const bnn_layer *layer) {
    return (size_t)layer->groups * BNN_GROUP * (size_t)layer->segments * (size_t)layer->segment_length * sizeof(int16_t);
}

static inline void bnn_bytes_pack(const bnn_layer *layer, const int8_t *rows, int16_t *packed) {
    const ptrdiff_t fan_in = (ptrdiff_t)layer->segments * layer->segment_length;
    for (int output = 0; output < layer->outputs; output++) {
        const int group = output / BNN_GROUP, lane = output % BNN_GROUP;
        for (ptrdiff_t i = 0; i < fan_in; i++) {
            packed[(group * fan_in + i) * BNN_GROUP + lane] = rows[output * fan_in + i];
        }
    }
}

static inline void bnn_bytes_value(const bnn_layer *layer, int group, const uint8_t *window, int32_t *value) {
    const ptrdiff_t fan_in = (ptrdiff_t)layer->segments * layer->segment_length;
    const int16_t *weight = (const int16_t *)layer->weights + group * fan_in * BNN_GROUP;
    if (fan_in <= BNN_SHORT_FAN_IN) {
        int16_t sum[BNN_GROUP] = {0};
        for (int segment = 0; segment < layer->segments; segment++) {
            const uint8_t *at = window + segment * layer->in_row;
            for (int i = 0; i < layer->segment_length; i++, weight += BNN_GROUP) {
                const int16_t byte = at[i];
                for (int lane = 0; lane < BNN_GROUP; lane++) sum[lane] = (int16_t)(sum[lane] + byte * weight[lane]);
            }
        }
        for (int lane = 0; lane < BNN_GROUP; lane++) value[lane] = sum[lane];
    } else {
        memset(value, 0, BNN_GROUP * sizeof *value);
        for (int segment = 0; segment < layer->segments; segment++) {
            const uint8_t *at = window + segment * layer->in_row;
            for (int i = 0; i < layer->segment_length; i++, weight += BNN_GROUP) {
                const int16_t byte = at[i];
                for (int lane = 0; lane < BNN_GROUP; lane++) value[lane] += byte * weight[lane];
            }
        }
    }
}

BNN_INLINE void bnn_bytes_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out,
                               void *scratch) {
    int32_t value[BNN_GROUP];
    (void)scratch;
    for (int i = 0; i < span->positions; i++) {
        bnn_bytes_value(layer, span->group, (const uint8_t *)in + span->in + i * span->in_step, value);
        bnn_store(layer, span->group, value, out, span->out + i * span->out_step);
    }
}

#endif
