/* AVX2: how weights and limits lie in memory, and how they get there.
 *
 * Packed: int16 limits [threshold][group][lane]; then int32 offsets [word of a window] and bytes
 * [group][plane][word][16][byte], the four bits in the order of spread(); or for layers that see bytes, int8
 * [group][pair of inputs][lane][2].
 */
#ifndef BNN_AVX2_PACKING_H
#define BNN_AVX2_PACKING_H

#include "avx2_counting.h"
#include "dots.h"
#include "variants.h"
#include "walk.h"

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

#endif
