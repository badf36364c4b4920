/* x86-64 with AVX-512: VPOPCNTDQ counts bits, VPTERNLOG compares and masks, VNNI multiplies the first layer's bytes.
 *
 * Lanes are neurons: 16 in a register of 32-bit lanes, 4 registers for a group, and one word of activations is
 * broadcast to all of them. So there are no sums across lanes, and a comparison yields packed output bits.
 *
 * One-bit layers take words in threes, as carry-save adders do. Let d1, d2, d3 be the bits in which three words
 * differ from their weights; then the count for all three is popcount(parity) + 2 * popcount(majority). The parity
 * d1 ^ d2 ^ d3 is that of the inputs, made once for a map, compared with that of the weights, made when packing;
 * and it makes up for d3 in the majority. That takes 8 operations, where counting each word by itself takes 9.
 * The three are words of neighbouring pixels, or neighbours in the row of a dense layer; what a window has beyond
 * a multiple of three is counted singly.
 *
 * Two-bit weights are planes worth half each, taken in pairs: an input that is not zero counts where both are equal,
 * and twice where it differs from them. v is then the second count less the first, and the inputs that are not zero
 * need not be counted by themselves.
 *
 * avx512_packing.h says how all that lies in memory, avx512_counting.h holds the operations; here are the loops.
 */
#include "platform.h"
#include "switches.h"
#if BNN_X86
#define BNN_TARGET "popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vpopcntdq"
#if BNN_K8
#define BNN_TUNE "tune=k8"
#endif
#include "tuning.h"

#include "avx512_counting.h"
#include "avx512_packing.h"

#define BNN_POPCOUNT(word) (uint64_t)__builtin_popcountll(word)
#include "dots.h"
#include "store.h"
#include "used.h"
#include "variants.h"
#include "walk.h"

/* One-bit layers keep the parities of a map, of all images only where these are the windows of a dense layer;
 * ternary ones the number of inputs that are not zero, for each window. */
static size_t scratch(const bnn_layer *layer, int images) {
    if (layer->kind == BNN_BYTES) return bnn_dots_scratch(layer);
    if (layer->kind == BNN_TERNARY) return together(layer) == 1 ? bnn_used_size(layer, images) : 0;
    return (size_t)(bnn_is_dense(layer) ? images : 1) * (size_t)layer->in_image * sizeof(uint64_t);
}

/* Parities of each word and those of the next two pixels; those that would end past the map are of no window. */
static void parities(const bnn_layer *layer, const uint64_t *in, int images, uint64_t *parity) {
    const int next = pixel(layer);
    const ptrdiff_t count = images * layer->in_image - 2 * next;
    if (threes(layer) == 0) return;
    for (ptrdiff_t i = 0; i < count; i++) parity[i] = in[i] ^ in[i + next] ^ in[i + 2 * next];
}

/* Values that become bits start at minus the limit: then those that fire are negative. Ternary inputs scale them. */
BNN_INLINE int starts_low(const bnn_layer *layer, int ternary) { return layer->result <= BNN_TWO_BIT && !ternary; }

BNN_INLINE __m512i start(const bnn_layer *layer, int group, int reg, int low) {
    if (!low) return _mm512_setzero_si512();
    return _mm512_loadu_si512(limits_of(layer, 0, group) + reg * LANES);
}

/* Store what becomes of the values of a group at one position. */
BNN_INLINE void finish_values(const bnn_layer *layer, int group, int low_start, group_values v, void *out,
                              ptrdiff_t at) {
    if (layer->result <= BNN_TWO_BIT) {
        uint64_t *to = (uint64_t *)out + at;
        if (!low_start) v = plus(v, limits_of(layer, 0, group));
        if (layer->result == BNN_ONE_BIT) {
            *to = negative(v);
        } else {
            bnn_store_ternary(negative(v), negative(plus(v, limits_of(layer, 1, group))), to);
        }
    } else {
        int32_t value[BNN_GROUP];
        for (int r = 0; r < REGISTERS; r++) _mm512_storeu_si512(value + r * LANES, v.r[r]);
        bnn_store_scores(layer, group * BNN_GROUP, BNN_GROUP, value, (int32_t *)out + at);
    }
}

BNN_INLINE void finish(const bnn_layer *layer, int group, const void *values, int window, void *out, ptrdiff_t at) {
    finish_values(layer, group, starts_low(layer, 0), ((const group_values *)values)[window], out, at);
}

BNN_INLINE void finish_ternary(const bnn_layer *layer, int group, const void *values, int window, void *out,
                               ptrdiff_t at) {
    finish_values(layer, group, starts_low(layer, 1), ((const group_values *)values)[window], out, at);
}

/* The smallest value of each neuron in the four windows of a pooled position. */
BNN_INLINE void least(void *values) {
    group_values *v = values;
    BNN_EACH(r, REGISTERS) {
        const __m512i upper = _mm512_min_epi32(v[0].r[r], v[1].r[r]), lower = _mm512_min_epi32(v[2].r[r], v[3].r[r]);
        v[0].r[r] = _mm512_min_epi32(upper, lower);
    }
}

/* What is the same for all tiles of a layer; distances are in bytes. */
typedef struct {
    const ptrdiff_t *offset, *first_one, *end; /* of the window's words */
    ptrdiff_t next;                            /* from a pixel to its right neighbour */
    ptrdiff_t parity;                          /* from a word of the map to its parity */
    const int32_t *used;                       /* see used.h */
    const uint32_t *weights;
    ptrdiff_t group_size;
} plan;

static plan plan_of(const bnn_layer *layer, const void *in, const void *made) {
    plan p = {0};
    p.offset = offsets_of(layer);
    p.first_one = p.offset + (ptrdiff_t)layer->segments * threes(layer) * 2;
    p.end = p.offset + steps(layer);
    p.next = pixel(layer) * (ptrdiff_t)sizeof(uint64_t);
    p.parity = (const char *)made - (const char *)in;
    p.weights = weights_of(layer);
    p.group_size = group_size(layer);
    return p;
}

/* Count the same half word of ternary inputs for the registers of one window. */
BNN_INLINE void count_masked(__m512i *sum, const uint32_t *weight, __m512i twos, __m512i sign, __m512i used, int planes,
                             int registers) {
    if (planes == 2) {
        count_two_pairs(sum, weight, twos, sign, used);
        if (registers > 2) count_two_pairs(sum + 2, weight + 4 * LANES, twos, sign, used);
    } else if (registers == REGISTERS && BNN_FOUR_TERNARY) {
        count_four_ternary(sum, weight, sign, used);
    } else {
        BNN_EACH(r, registers) sum[r] = count_ternary(sum[r], weight + r * LANES, sign, used);
    }
}

/* Count the inputs that differ from their weights, for `count` windows and `registers` registers of neurons (both
 * constants, as are `ternary` and the number of `planes` taken together), and store what becomes of them. */
BNN_INLINE void windows(const bnn_layer *layer, const plan *p, const bnn_span *span, const uint64_t *const *map,
                        const int32_t *const *used, void *out, int ternary, int planes, int count, int registers) {
    const int low_start = starts_low(layer, ternary);
    const ptrdiff_t next = p->next, parity = p->parity;
    const ptrdiff_t *const first_one = p->first_one, *const end = p->end;
    const uint32_t *weight = p->weights + span->group * p->group_size;
    const __m512i twos = _mm512_set1_epi8(2);
    group_values sum[BNN_TILE];
    BNN_EACH(w, BNN_TILE) BNN_EACH(r, REGISTERS) sum[w].r[r] = start(layer, span->group, r, low_start);
    for (int plane = 0; plane < layer->planes; plane += planes) {
        const ptrdiff_t *offset = p->offset;
        for (; offset < first_one; offset++, weight += 3 * BNN_GROUP) {
            const ptrdiff_t i = *offset;
            BNN_EACH(r, registers) {
                const uint32_t *from = weight + 3 * r * LANES;
                const __m512i row[3] = {load(from), load(from + LANES), load(from + 2 * LANES)};
                BNN_EACH(w, count) {
                    sum[w].r[r] = count_three(sum[w].r[r], row, twos, map[w], i, i + next, i + parity);
                }
            }
        }
        for (; offset < end; offset++, weight += planes * BNN_GROUP) {
            const ptrdiff_t i = *offset;
            if (ternary) {
                BNN_EACH(w, count) {
                    const __m512i sign = broadcast(map[w], i);
                    const __m512i some = broadcast(map[w], i + (ptrdiff_t)sizeof(uint64_t));
                    count_masked(sum[w].r, weight, twos, sign, some, planes, registers);
                }
            } else {
                BNN_EACH(r, registers) {
                    const __m512i row = load(weight + r * LANES);
                    BNN_EACH(w, count) sum[w].r[r] = count_one(sum[w].r[r], row, map[w], i);
                }
            }
        }
    }
    if (ternary && planes == 1) {
        BNN_EACH(w, count) BNN_EACH(r, registers) {
            const __m512i both = _mm512_add_epi32(sum[w].r[r], sum[w].r[r]);
            sum[w].r[r] = _mm512_sub_epi32(both, _mm512_set1_epi32(*used[w]));
        }
    }
    if (ternary) {
        bnn_store_span(layer, span, count, sum, least, finish_ternary, out);
    } else {
        bnn_store_span(layer, span, count, sum, least, finish, out);
    }
}

BNN_INLINE void tile(const bnn_layer *layer, const bnn_span *span, const uint64_t *in, void *out, const plan *p,
                     int ternary, int planes) {
    const uint64_t *map[BNN_TILE];
    const int32_t *used[BNN_TILE] = {0};
    const int count = bnn_windows(layer, span, in, map);
    /* Neurons that do not exist in the last group, of which a network with few classes has most. */
    const int few = layer->outputs - span->group * BNN_GROUP <= LANES && layer->result > BNN_TWO_BIT;
    if (ternary && planes == 1) bnn_used_of(layer, span, p->used, used);
    switch (few ? -count : count) {
    case 4: windows(layer, p, span, map, used, out, ternary, planes, 4, REGISTERS); break;
    case 3: windows(layer, p, span, map, used, out, ternary, planes, 3, REGISTERS); break;
    case 2: windows(layer, p, span, map, used, out, ternary, planes, 2, REGISTERS); break;
    case 1: windows(layer, p, span, map, used, out, ternary, planes, 1, REGISTERS); break;
    case -4: windows(layer, p, span, map, used, out, ternary, planes, 4, 1); break;
    case -3: windows(layer, p, span, map, used, out, ternary, planes, 3, 1); break;
    case -2: windows(layer, p, span, map, used, out, ternary, planes, 2, 1); break;
    default: windows(layer, p, span, map, used, out, ternary, planes, 1, 1);
    }
}

/* The one window of a dense layer that has a single image. Inputs are broadcast once for all weights that they meet. */
static void single(const bnn_layer *layer, const plan *p, const uint64_t *map, void *out) {
    const int low_start = starts_low(layer, 0);
    const ptrdiff_t next = p->next;
    const uint32_t *weight = p->weights;
    const __m512i twos = _mm512_set1_epi8(2);
    for (int group = 0; group < layer->groups; group++) {
        group_values sum;
        BNN_EACH(r, REGISTERS) sum.r[r] = start(layer, group, r, low_start);
        for (int plane = 0; plane < layer->planes; plane++) {
            const ptrdiff_t *offset = p->offset;
            for (; offset < p->first_one; offset++, weight += 3 * BNN_GROUP) {
                const __m512i first = broadcast(map, *offset), second = broadcast(map, *offset + next);
                const __m512i third = broadcast(map, *offset + 2 * next);
                const __m512i all = _mm512_ternarylogic_epi32(first, second, third, 0x96);
                BNN_EACH(r, REGISTERS) {
                    sum.r[r] = count_three_once(sum.r[r], weight + 3 * r * LANES, twos, first, second, all);
                }
            }
            for (; offset < p->end; offset++, weight += BNN_GROUP) {
                BNN_EACH(r, REGISTERS) sum.r[r] = count_one(sum.r[r], load(weight + r * LANES), map, *offset);
            }
        }
        finish(layer, group, &sum, 0, out, layer->out_start + group * bnn_out_word(layer));
    }
}

BNN_TILE_FUNCTION void bits_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *plan_of_layer) {
    tile(layer, span, in, out, plan_of_layer, 0, 1);
}

BNN_TILE_FUNCTION void ternary_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *plan_of_layer) {
    tile(layer, span, in, out, plan_of_layer, 1, 1);
}

BNN_TILE_FUNCTION void pairs_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *plan_of_layer) {
    tile(layer, span, in, out, plan_of_layer, 1, 2);
}

BNN_INLINE void products(const bnn_layer *layer, int group, const uint8_t *rows, int count, void *out, ptrdiff_t at,
                         ptrdiff_t out_step) {
    const bnn_span span = {.group = group, .out = at, .out_step = out_step};
    const ptrdiff_t steps = bnn_dots_steps(layer);
    const int8_t *weight = (const int8_t *)weights_of(layer) + group * steps * BNN_GROUP * 4;
    group_values sum[BNN_TILE];
    BNN_EACH(w, BNN_TILE) BNN_EACH(r, REGISTERS) sum[w].r[r] = start(layer, group, r, starts_low(layer, 0));
    for (ptrdiff_t step = 0; step < steps; step++, weight += BNN_GROUP * 4) {
        const __m512i factor[4] = {load(weight), load(weight + 64), load(weight + 128), load(weight + 192)};
        BNN_EACH(w, count) {
            const __m512i bytes = _mm512_set1_epi32(((const half_word *)rows)[w * steps + step]);
            BNN_EACH(r, REGISTERS) sum[w].r[r] = _mm512_dpbusd_epi32(sum[w].r[r], bytes, factor[r]);
        }
    }
    bnn_store_span(layer, &span, count, sum, least, finish, out);
}

static void dots(const bnn_layer *layer, int group, const uint8_t *rows, int count, void *out, ptrdiff_t at,
                 ptrdiff_t out_step) {
    const ptrdiff_t row = 4 * bnn_dots_steps(layer);
    for (; count >= 4; count -= 4, rows += 4 * row, at += 4 * out_step) {
        products(layer, group, rows, 4, out, at, out_step);
    }
    switch (count) {
    case 3: products(layer, group, rows, 3, out, at, out_step); break;
    case 2: products(layer, group, rows, 2, out, at, out_step); break;
    case 1: products(layer, group, rows, 1, out, at, out_step); break;
    default: break;
    }
}

static void evaluate(const bnn_layer *layer, const void *in, void *out, int images, void *memory, bnn_watch *watch) {
    if (layer->kind == BNN_BYTES) {
        bnn_dots_evaluate(layer, in, out, images, memory, watch, dots);
    } else if (together(layer) == 2) {
        plan p = plan_of(layer, in, memory);
        bnn_walk(layer, in, out, images, &p, watch, pairs_tile);
    } else if (layer->kind == BNN_TERNARY) {
        plan p = plan_of(layer, in, memory);
        p.used = bnn_count_used(layer, in, images, memory, watch);
        bnn_walk(layer, in, out, images, &p, watch, ternary_tile);
    } else {
        plan p = plan_of(layer, in, memory);
        if (images == 1 && bnn_is_dense(layer)) {
            single(layer, &p, in, out);
            return;
        }
        /* Windows of a dense layer are its images; otherwise parities are kept for one image at a time. */
        const int some = bnn_is_dense(layer) ? images : 1;
        for (int image = 0; image < images; image += some) {
            const uint64_t *map = (const uint64_t *)in + image * layer->in_image;
            p.parity = (const char *)memory - (const char *)map;
            parities(layer, map, some, memory);
            bnn_walk(layer, map, (uint64_t *)out + image * layer->out_image, some, &p, watch, bits_tile);
        }
    }
}

const bnn_variant bnn_avx512 = {"avx512", packed, pack, scratch, evaluate};

#include "untarget.h"
#endif
