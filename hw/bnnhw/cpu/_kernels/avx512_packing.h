/* AVX-512: how weights and limits lie in memory, and how they get there.
 *
 * Packed: int32 [threshold][group][lane], first the negated limits, then what to add for those of the upper
 * threshold; where the words of a window are, in bytes from its start, first those that are taken in threes; and the
 * weights in this order, uint32 [group][plane] and then
 * [register][first, second, parity][lane] for three half words of inputs, [register][lane] for one; for ternary
 * inputs and two planes, [group][pair of planes][register][where they are equal, first plane][lane]. Layers that see
 * bytes have none of the places, and weights as in dots.h.
 */
#ifndef BNN_AVX512_PACKING_H
#define BNN_AVX512_PACKING_H

#include "avx512_counting.h"
#include "dots.h"
#include "switches.h"
#include "variants.h"
#include "walk.h"

/* Where a neuron of a group is among its lanes: packing them to 16 and then to 8 bits takes neighbours from two
 * registers in turn, and so leaves them in order. */
static int place(int neuron) {
    return (neuron % 16 / 8 * 2 + neuron % 8 / 4) * LANES + neuron / 16 * 4 + neuron % 4;
}

/* Scores are stored as they are, and the few of a last layer then lie in few registers. */
static int same(int neuron) { return neuron; }

typedef int placement(int);

static placement *placement_of(const bnn_layer *layer) { return layer->result <= BNN_TWO_BIT ? place : same; }

static int thresholds(const bnn_layer *layer) { return layer->result == BNN_TWO_BIT ? 2 : 1; }

static ptrdiff_t limits_size(const bnn_layer *layer) { return (ptrdiff_t)thresholds(layer) * layer->groups * BNN_GROUP; }

BNN_INLINE const int32_t *limits_of(const bnn_layer *layer, int threshold, int group) {
    return (const int32_t *)layer->weights + (threshold * layer->groups + group) * BNN_GROUP;
}

/* Words from one pixel to the next. A single segment, as of a dense layer, may be cut anywhere. */
BNN_INLINE int pixel(const bnn_layer *layer) { return layer->segments == 1 ? 1 : layer->segment_length / layer->segments; }

/* Words of a segment that are the first of three. Ternary inputs are masked, and have no parity of their own. */
BNN_INLINE int threes(const bnn_layer *layer) {
    return BNN_THREES && layer->kind == BNN_BITS ? layer->segment_length / (3 * pixel(layer)) * pixel(layer) : 0;
}

BNN_INLINE int ones(const bnn_layer *layer) { return layer->segment_length - 3 * threes(layer); }

/* The `i`th word that is the first of three, as number of a word in its segment. */
BNN_INLINE int three(const bnn_layer *layer, int i) { return i / pixel(layer) * 3 * pixel(layer) + i % pixel(layer); }

/* Half words of a window, taking three as one. */
BNN_INLINE ptrdiff_t steps(const bnn_layer *layer) { return (ptrdiff_t)layer->segments * (threes(layer) + ones(layer)) * 2; }

static ptrdiff_t offsets_size(const bnn_layer *layer) {
    return (steps(layer) * (ptrdiff_t)sizeof(ptrdiff_t) + 63) / 64 * 64 / (ptrdiff_t)sizeof(ptrdiff_t);
}

BNN_INLINE const ptrdiff_t *offsets_of(const bnn_layer *layer) {
    return (const ptrdiff_t *)((const int32_t *)layer->weights + limits_size(layer));
}

BNN_INLINE const void *weights_of(const bnn_layer *layer) {
    return offsets_of(layer) + (layer->kind == BNN_BYTES ? 0 : offsets_size(layer));
}

/* Planes that are taken together. */
BNN_INLINE int together(const bnn_layer *layer) { return layer->kind == BNN_TERNARY && layer->planes > 1 ? 2 : 1; }

/* Weights of a group, in elements of uint32. */
BNN_INLINE ptrdiff_t group_size(const bnn_layer *layer) {
    return (ptrdiff_t)layer->planes * layer->segments * layer->segment_length * 2 * BNN_GROUP;
}

static size_t packed(const bnn_layer *layer) {
    size_t bytes = (size_t)layer->groups * (size_t)group_size(layer) * sizeof(uint32_t) +
                   (size_t)offsets_size(layer) * sizeof(ptrdiff_t);
    if (layer->kind == BNN_BYTES) bytes = bnn_dots_packed(layer);
    return (size_t)limits_size(layer) * sizeof(int32_t) + bytes;
}

static void pack_offsets(const bnn_layer *layer, ptrdiff_t *offset) {
    const int step = layer->kind == BNN_TERNARY ? 2 : 1;
    for (int segment = 0; segment < layer->segments; segment++) {
        for (int i = 0; i < threes(layer); i++) {
            for (int high = 0; high < 2; high++) *offset++ = (segment * layer->in_row + three(layer, i)) * 8 + high * 4;
        }
    }
    for (int segment = 0; segment < layer->segments; segment++) {
        for (int i = 3 * threes(layer); i < layer->segment_length; i++) {
            for (int high = 0; high < 2; high++) *offset++ = (segment * layer->in_row + step * i) * 8 + high * 4;
        }
    }
}

/* The weights of one neuron and plane; `to` is its lane among the first weights. */
static void pack_neuron(const bnn_layer *layer, const uint64_t *weight, int reg, uint32_t *to) {
    const int next = pixel(layer);
    for (int segment = 0; segment < layer->segments; segment++) {
        for (int i = 0; i < threes(layer); i++) {
            const uint64_t *word = weight + segment * layer->segment_length + three(layer, i);
            const uint64_t some[3] = {word[0], word[next], word[0] ^ word[next] ^ word[2 * next]};
            for (int high = 0; high < 2; high++, to += 3 * BNN_GROUP) {
                for (int j = 0; j < 3; j++) to[(3 * reg + j) * LANES] = (uint32_t)(some[j] >> (32 * high));
            }
        }
    }
    for (int segment = 0; segment < layer->segments; segment++) {
        for (int i = 3 * threes(layer); i < layer->segment_length; i++) {
            const uint64_t word = weight[segment * layer->segment_length + i];
            for (int high = 0; high < 2; high++, to += BNN_GROUP) to[reg * LANES] = (uint32_t)(word >> (32 * high));
        }
    }
}

/* The same for a pair of planes, the second `other` words further on. */
static void pack_pair(const bnn_layer *layer, const uint64_t *weight, ptrdiff_t other, int reg, uint32_t *to) {
    for (int i = 0; i < layer->segments * layer->segment_length; i++, weight++) {
        for (int high = 0; high < 2; high++, to += 2 * BNN_GROUP) {
            to[2 * reg * LANES] = (uint32_t)(~(weight[0] ^ weight[other]) >> (32 * high));
            to[(2 * reg + 1) * LANES] = (uint32_t)(weight[0] >> (32 * high));
        }
    }
}

static void pack(const bnn_layer *layer, const bnn_rows *rows, void *to) {
    placement *placed = placement_of(layer);
    int32_t *limit = to;
    uint32_t *weight = (uint32_t *)to + limits_size(layer);
    const ptrdiff_t lower = (ptrdiff_t)layer->groups * BNN_GROUP;
    for (ptrdiff_t i = 0; i < limits_size(layer); i++) {
        /* Without signs, as a difference may not fit; the sum does again. */
        const uint32_t before = i < lower ? 0 : (uint32_t)layer->limits[i - lower];
        limit[i / BNN_GROUP * BNN_GROUP + placed((int)(i % BNN_GROUP))] = (int32_t)(before - (uint32_t)layer->limits[i]);
    }
    if (layer->kind == BNN_BYTES) {
        bnn_dots_pack(layer, rows->bytes, placed, 4, (int8_t *)weight);
        return;
    }
    const ptrdiff_t window = (ptrdiff_t)layer->segments * layer->segment_length;
    pack_offsets(layer, (ptrdiff_t *)weight);
    weight += offsets_size(layer) * (ptrdiff_t)(sizeof(ptrdiff_t) / sizeof(uint32_t));
    for (int plane = 0; plane < layer->planes; plane += together(layer)) {
        for (int output = 0; output < layer->outputs; output++) {
            const int lane = placed(output % BNN_GROUP);
            const ptrdiff_t at = (ptrdiff_t)(output / BNN_GROUP) * layer->planes + plane;
            const uint64_t *from = rows->bits + (plane * (ptrdiff_t)layer->outputs + output) * window;
            uint32_t *first = weight + at * window * 2 * BNN_GROUP + lane % LANES;
            if (together(layer) == 2) {
                pack_pair(layer, from, layer->outputs * window, lane / LANES, first);
            } else {
                pack_neuron(layer, from, lane / LANES, first);
            }
        }
    }
}

#endif
