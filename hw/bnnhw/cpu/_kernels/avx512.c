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
 * Packed: int32 [threshold][group][lane], first the negated limits, then what to add for those of the upper
 * threshold; where the words of a window are, in bytes from its start, first those that are taken in threes; and the
 * weights in this order, uint32 [group][plane] and then
 * [register][first, second, parity][lane] for three half words of inputs, [register][lane] for one; for ternary
 * inputs and two planes, [group][pair of planes][register][where they are equal, first plane][lane].
 */
#include "platform.h"
#if BNN_X86
#define BNN_TARGET "popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vpopcntdq"
/* gcc's other tunings keep addresses in vector registers where it runs out of plain ones. To come back they queue
 * behind the arithmetic, and the loads that they are for wait: 3 percent of a convolution. */
#define BNN_TUNE "tune=k8"
#include "tuning.h"

#include <immintrin.h>
#include <string.h>

#define BNN_POPCOUNT(word) (uint64_t)__builtin_popcountll(word)
#include "dots.h"
#include "store.h"
#include "used.h"
#include "variants.h"
#include "walk.h"

enum { REGISTERS = 4, LANES = 16 };

/* Keep a vector in its register and its place: left alone, compilers regroup sums until they run out of
 * registers, or load the same weights again for each use, which is what the processor has least of. */
#define PIN(vector) __asm__("" : "+v"(vector))

/* Bytes may be read through this type. */
typedef int32_t __attribute__((may_alias)) half_word;

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
    return layer->kind == BNN_BITS ? layer->segment_length / (3 * pixel(layer)) * pixel(layer) : 0;
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

BNN_INLINE __m512i load(const void *from) {
    __m512i vector = _mm512_loadu_si512(from);
    PIN(vector);
    return vector;
}

/* The following are written out, with addresses of a register and an index: compilers would make a broadcast by
 * itself where two registers share it, and would keep more addresses than there are registers. Half a word of
 * inputs is broadcast to all lanes. */
#define MAP(map) "r"(map), "m"(*(const uint64_t(*)[1 << 20])(map))

#define ROW(weight, i) "m"(*(const __m512i *)((weight) + (i) * LANES))

/* Add to a sum the bits of a half word, `at` bytes into the map, that differ from their weights. */
BNN_INLINE __m512i count_one(__m512i sum, __m512i weight, const uint64_t *map, ptrdiff_t at) {
    __m512i differ;
    __asm__("vpxord (%3,%5)%{1to16%}, %2, %1\n\t"
            "vpopcntd %1, %1\n\t"
            "vpaddd %1, %0, %0"
            : "+v"(sum), "=&v"(differ)
            : "v"(weight), MAP(map), "r"(at));
    return sum;
}

/* The same for inputs that may be 0, in registers; those that are not 0 are masked in. */
BNN_INLINE __m512i count_ternary(__m512i sum, const uint32_t *weight, __m512i sign, __m512i used) {
    __m512i differ;
    __asm__("vmovdqu64 %4, %1\n\t"
            "vpternlogd $0x28, %3, %2, %1\n\t"
            "vpopcntd %1, %1\n\t"
            "vpaddd %1, %0, %0"
            : "+v"(sum), "=&v"(differ)
            : "v"(sign), "v"(used), "m"(*(const __m512i *)weight));
    return sum;
}

/* The same for the four registers of a group. In this order the processor spreads the operations evenly over its
 * units; one register after the other takes a fifth longer. */
BNN_INLINE void count_four_ternary(__m512i *sum0, __m512i *sum1, __m512i *sum2, __m512i *sum3, const uint32_t *weight,
                                   __m512i sign, __m512i used) {
    __m512i differ0, differ1, differ2, differ3;
    __asm__("vmovdqu64 %10, %4\n\t"
            "vmovdqu64 %11, %5\n\t"
            "vmovdqu64 %12, %6\n\t"
            "vmovdqu64 %13, %7\n\t"
            "vpternlogd $0x28, %9, %8, %4\n\t"
            "vpternlogd $0x28, %9, %8, %5\n\t"
            "vpternlogd $0x28, %9, %8, %6\n\t"
            "vpternlogd $0x28, %9, %8, %7\n\t"
            "vpopcntd %4, %4\n\t"
            "vpopcntd %5, %5\n\t"
            "vpopcntd %6, %6\n\t"
            "vpopcntd %7, %7\n\t"
            "vpaddd %4, %0, %0\n\t"
            "vpaddd %5, %1, %1\n\t"
            "vpaddd %6, %2, %2\n\t"
            "vpaddd %7, %3, %3"
            : "+v"(*sum0), "+v"(*sum1), "+v"(*sum2), "+v"(*sum3), "=&v"(differ0), "=&v"(differ1), "=&v"(differ2),
              "=&v"(differ3)
            : "v"(sign), "v"(used), ROW(weight, 0), ROW(weight, 1), ROW(weight, 2), ROW(weight, 3));
}

/* The same for two registers and a pair of planes. */
BNN_INLINE void count_two_pairs(__m512i *sum0, __m512i *sum1, const uint32_t *weight, __m512i twos, __m512i sign,
                                __m512i used) {
    __m512i equal0, equal1, differ0, differ1;
    __asm__("vmovdqu64 %10, %4\n\t"
            "vmovdqu64 %12, %5\n\t"
            "vpandd %9, %7, %2\n\t"
            "vpandd %11, %7, %3\n\t"
            "vpternlogd $0x28, %2, %6, %4\n\t"
            "vpternlogd $0x28, %3, %6, %5\n\t"
            "vpopcntd %2, %2\n\t"
            "vpopcntd %3, %3\n\t"
            "vpopcntd %4, %4\n\t"
            "vpopcntd %5, %5\n\t"
            "vpsubd %2, %0, %0\n\t"
            "vpsubd %3, %1, %1\n\t"
            "vpdpbusd %8, %4, %0\n\t"
            "vpdpbusd %8, %5, %1"
            : "+&v"(*sum0), "+&v"(*sum1), "=&v"(equal0), "=&v"(equal1), "=&v"(differ0), "=&v"(differ1)
            : "v"(sign), "v"(used), "v"(twos), ROW(weight, 0), ROW(weight, 1), ROW(weight, 2), ROW(weight, 3));
}

/* The same for three, of which the last is the parity. The majority is d1 where d1 and d2 agree, and else d3, which
 * then is the opposite of the parity. VPDPBUSD doubles its count and adds it in one operation. */
BNN_INLINE __m512i count_three(__m512i sum, const __m512i *weight, __m512i twos, const uint64_t *map, ptrdiff_t first,
                               ptrdiff_t second, ptrdiff_t all) {
    __m512i parity, majority, other;
    __asm__("vpxord (%7,%9)%{1to16%}, %4, %2\n\t"
            "vpxord (%7,%10)%{1to16%}, %5, %3\n\t"
            "vpxord (%7,%11)%{1to16%}, %6, %1\n\t"
            "vpternlogd $0xd4, %1, %3, %2\n\t"
            "vpopcntd %1, %1\n\t"
            "vpopcntd %2, %2\n\t"
            "vpaddd %1, %0, %0\n\t"
            "vpdpbusd %12, %2, %0"
            : "+&v"(sum), "=&v"(parity), "=&v"(majority), "=&v"(other)
            : "v"(weight[0]), "v"(weight[1]), "v"(weight[2]), MAP(map), "r"(first), "r"(second), "r"(all), "v"(twos));
    return sum;
}

/* The same for inputs in registers, and weights that are used once. */
BNN_INLINE __m512i count_three_once(__m512i sum, const uint32_t *weight, __m512i twos, __m512i first, __m512i second,
                                    __m512i all) {
    __m512i parity, majority, other;
    __asm__("vpxord %7, %4, %2\n\t"
            "vpxord %8, %5, %3\n\t"
            "vpxord %9, %6, %1\n\t"
            "vpternlogd $0xd4, %1, %3, %2\n\t"
            "vpopcntd %1, %1\n\t"
            "vpopcntd %2, %2\n\t"
            "vpaddd %1, %0, %0\n\t"
            "vpdpbusd %10, %2, %0"
            : "+&v"(sum), "=&v"(parity), "=&v"(majority), "=&v"(other)
            : "v"(first), "v"(second), "v"(all), ROW(weight, 0), ROW(weight, 1), ROW(weight, 2), "v"(twos));
    return sum;
}

BNN_INLINE __m512i broadcast(const uint64_t *map, ptrdiff_t at) {
    __m512i vector = _mm512_set1_epi32(*(const half_word *)((const char *)map + at));
    PIN(vector);
    return vector;
}

/* Sums are variables with numbers, not arrays: compilers keep arrays in memory as soon as loops index them.
 * Sum s belongs to window s / 4 and register s % 4; those that are not wanted vanish. */
#define FOUR(DO, w) DO(w, 0, s##w##0) DO(w, 1, s##w##1) DO(w, 2, s##w##2) DO(w, 3, s##w##3)
#define SIXTEEN(DO) FOUR(DO, 0) FOUR(DO, 1) FOUR(DO, 2) FOUR(DO, 3)
#define BY_REGISTER(DO, r) DO(0, r, s0##r) DO(1, r, s1##r) DO(2, r, s2##r) DO(3, r, s3##r)

/* Values that become bits start at minus the limit: then those that fire are negative. Ternary inputs scale them. */
BNN_INLINE int starts_low(const bnn_layer *layer, int ternary) { return layer->result <= BNN_TWO_BIT && !ternary; }

BNN_INLINE __m512i start(const bnn_layer *layer, int group, int reg, int low) {
    if (!low) return _mm512_setzero_si512();
    return _mm512_loadu_si512(limits_of(layer, 0, group) + reg * LANES);
}

typedef struct {
    __m512i r[REGISTERS];
} group_values;

/* Bits of the negative values of a group. */
BNN_INLINE uint64_t negative(group_values v) {
    const __m512i low = _mm512_packs_epi32(v.r[0], v.r[1]), high = _mm512_packs_epi32(v.r[2], v.r[3]);
    return _cvtmask64_u64(_mm512_movepi8_mask(_mm512_packs_epi16(low, high)));
}

BNN_INLINE group_values plus(group_values v, const int32_t *limit) {
    for (int r = 0; r < REGISTERS; r++) v.r[r] = _mm512_add_epi32(v.r[r], _mm512_loadu_si512(limit + r * LANES));
    return v;
}

/* Store what becomes of the values of a group at one position. */
BNN_INLINE void finish(const bnn_layer *layer, int group, int low_start, group_values v, void *out, ptrdiff_t at) {
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

#define BEGIN(w, r, sum) __m512i sum = start(layer, span->group, r, low_start);

/* Count the inputs that differ from their weights, for `count` windows and `registers` registers of neurons (both
 * constants, as are `ternary` and the number of `planes` taken together), and store what becomes of them. */
BNN_INLINE void windows(const bnn_layer *layer, const plan *p, const bnn_span *span, const uint64_t *const *map,
                        const int32_t *const *used, void *out, int ternary, int planes, int count, int registers) {
    const int low_start = starts_low(layer, ternary);
    const ptrdiff_t next = p->next, parity = p->parity;
    const ptrdiff_t *const first_one = p->first_one, *const end = p->end;
    const uint32_t *weight = p->weights + span->group * p->group_size;
    const uint64_t *const map0 = map[0], *const map1 = map[1], *const map2 = map[2], *const map3 = map[3];
    const __m512i twos = _mm512_set1_epi8(2);
#define THREE(w, r, sum) \
    if (w < count && r < registers) sum = count_three(sum, row, twos, map##w, i, i + next, i + parity);
#define ONE(w, r, sum) \
    if (w < count && r < registers) sum = count_one(sum, row, map##w, i);
#define TERNARY(w) \
    if (w < count) { \
        const __m512i sign = broadcast(map##w, i), some = broadcast(map##w, i + (ptrdiff_t)sizeof(uint64_t)); \
        if (planes == 2) { \
            count_two_pairs(&s##w##0, &s##w##1, weight, twos, sign, some); \
            if (registers > 2) count_two_pairs(&s##w##2, &s##w##3, weight + 4 * LANES, twos, sign, some); \
        } else if (registers == REGISTERS) { \
            count_four_ternary(&s##w##0, &s##w##1, &s##w##2, &s##w##3, weight, sign, some); \
        } else { \
            s##w##0 = count_ternary(s##w##0, weight, sign, some); \
        } \
    }
#define THREE_ROWS(r) \
    if (r < registers) { \
        const __m512i row[3] = {load(weight + 3 * r * LANES), load(weight + (3 * r + 1) * LANES), \
                                load(weight + (3 * r + 2) * LANES)}; \
        BY_REGISTER(THREE, r) \
    }
#define ONE_ROW(r) \
    if (r < registers) { \
        const __m512i row = load(weight + r * LANES); \
        BY_REGISTER(ONE, r) \
    }
    SIXTEEN(BEGIN)
    for (int plane = 0; plane < layer->planes; plane += planes) {
        const ptrdiff_t *offset = p->offset;
        for (; offset < first_one; offset++, weight += 3 * BNN_GROUP) {
            const ptrdiff_t i = *offset;
            THREE_ROWS(0) THREE_ROWS(1) THREE_ROWS(2) THREE_ROWS(3)
        }
        for (; offset < end; offset++, weight += planes * BNN_GROUP) {
            const ptrdiff_t i = *offset;
            if (ternary) {
                TERNARY(0) TERNARY(1) TERNARY(2) TERNARY(3)
            } else {
                ONE_ROW(0) ONE_ROW(1) ONE_ROW(2) ONE_ROW(3)
            }
        }
    }
#undef THREE
#undef ONE
#undef TERNARY
#undef THREE_ROWS
#undef ONE_ROW
    if (ternary && planes == 1) {
#define VALUE(w, r, sum) \
    if (w < count && r < registers) { \
        sum = _mm512_sub_epi32(_mm512_add_epi32(sum, sum), _mm512_set1_epi32(*used[w])); \
    }
        SIXTEEN(VALUE)
#undef VALUE
    }
    if (layer->pooled && count == 4) {
#define LEAST(r) _mm512_min_epi32(_mm512_min_epi32(s0##r, s1##r), _mm512_min_epi32(s2##r, s3##r))
        const group_values least = {{LEAST(0), LEAST(1), LEAST(2), LEAST(3)}};
        finish(layer, span->group, low_start, least, out, span->out);
#undef LEAST
        return;
    }
#define STORE(w) \
    if (w < count) { \
        const group_values v = {{s##w##0, s##w##1, s##w##2, s##w##3}}; \
        finish(layer, span->group, low_start, v, out, span->out + w * span->out_step); \
    }
    STORE(0) STORE(1) STORE(2) STORE(3)
#undef STORE
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

/* The one window of a dense layer that has a single image, for `groups` groups of neurons (a constant). Its time goes
 * into loading weights. The end of a loop interrupts that for some 75 cycles, so there are few: 4 groups share one. */
BNN_INLINE void neurons(const bnn_layer *layer, const plan *p, const uint64_t *map, void *out, int group, int groups) {
    const int low_start = starts_low(layer, 0);
    const ptrdiff_t next = p->next, size = p->group_size;
    const uint32_t *weight = p->weights + group * size;
    const __m512i twos = _mm512_set1_epi8(2);
#define START(g, r, sum) \
    __m512i sum = g < groups ? start(layer, group + g, r, low_start) : _mm512_setzero_si512();
#define THREE(g, r, sum) \
    if (g < groups) sum = count_three_once(sum, weight + g * size + 3 * r * LANES, twos, first, second, all);
#define ONE(g, r, sum) \
    if (g < groups) sum = count_one(sum, load(weight + g * size + r * LANES), map, *offset);
    SIXTEEN(START)
    for (int plane = 0; plane < layer->planes; plane++) {
        const ptrdiff_t *offset = p->offset;
        for (; offset < p->first_one; offset++, weight += 3 * BNN_GROUP) {
            const __m512i first = broadcast(map, *offset), second = broadcast(map, *offset + next);
            const __m512i all = _mm512_ternarylogic_epi32(first, second, broadcast(map, *offset + 2 * next), 0x96);
            SIXTEEN(THREE)
        }
        for (; offset < p->end; offset++, weight += BNN_GROUP) {
            SIXTEEN(ONE)
        }
    }
#define STORE(g) \
    if (g < groups) { \
        const group_values v = {{s##g##0, s##g##1, s##g##2, s##g##3}}; \
        finish(layer, group + g, low_start, v, out, layer->out_start + (group + g) * bnn_out_word(layer)); \
    }
    STORE(0) STORE(1) STORE(2) STORE(3)
#undef START
#undef THREE
#undef ONE
#undef STORE
}

static void single(const bnn_layer *layer, const plan *p, const uint64_t *map, void *out) {
    int group = 0;
    for (; group + 4 <= layer->groups; group += 4) neurons(layer, p, map, out, group, 4);
    switch (layer->groups - group) {
    case 3: neurons(layer, p, map, out, group, 3); break;
    case 2: neurons(layer, p, map, out, group, 2); break;
    case 1: neurons(layer, p, map, out, group, 1); break;
    default: break;
    }
}

/* Part of the walk: a call for each tile would cost 20 cycles. */
BNN_INLINE void bits_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *plan_of_layer) {
    tile(layer, span, in, out, plan_of_layer, 0, 1);
}

BNN_INLINE void ternary_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *plan_of_layer) {
    tile(layer, span, in, out, plan_of_layer, 1, 1);
}

BNN_INLINE void pairs_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *plan_of_layer) {
    tile(layer, span, in, out, plan_of_layer, 1, 2);
}

BNN_INLINE void products(const bnn_layer *layer, int group, const uint8_t *rows, int count, void *out, ptrdiff_t at,
                         ptrdiff_t out_step) {
    const bnn_span only_group = {.group = group}, *span = &only_group;
    const ptrdiff_t steps = bnn_dots_steps(layer);
    const int8_t *weight = (const int8_t *)weights_of(layer) + group * steps * BNN_GROUP * 4;
    const int low_start = starts_low(layer, 0);
#define ADD(w, r, sum) \
    if (w < count) { \
        if (r == 0) bytes = _mm512_set1_epi32(((const half_word *)rows)[w * steps + step]); \
        sum = _mm512_dpbusd_epi32(sum, bytes, factor[r]); \
        PIN(sum); \
    }
    SIXTEEN(BEGIN)
    for (ptrdiff_t step = 0; step < steps; step++, weight += BNN_GROUP * 4) {
        const __m512i factor[4] = {load(weight), load(weight + 64), load(weight + 128), load(weight + 192)};
        __m512i bytes = _mm512_setzero_si512();
        SIXTEEN(ADD)
    }
#undef ADD
#define STORE(w) \
    if (w < count) { \
        const group_values v = {{s##w##0, s##w##1, s##w##2, s##w##3}}; \
        finish(layer, group, low_start, v, out, at + w * out_step); \
    }
    STORE(0) STORE(1) STORE(2) STORE(3)
#undef STORE
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

static void evaluate(const bnn_layer *layer, const void *in, void *out, int images, void *memory) {
    if (layer->kind == BNN_BYTES) {
        bnn_dots_evaluate(layer, in, out, images, memory, dots);
    } else if (together(layer) == 2) {
        plan p = plan_of(layer, in, memory);
        bnn_walk(layer, in, out, images, &p, pairs_tile);
    } else if (layer->kind == BNN_TERNARY) {
        plan p = plan_of(layer, in, memory);
        p.used = bnn_count_used(layer, in, images, memory);
        bnn_walk(layer, in, out, images, &p, ternary_tile);
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
            bnn_walk(layer, map, (uint64_t *)out + image * layer->out_image, some, &p, bits_tile);
        }
    }
}

const bnn_variant bnn_avx512 = {"avx512", packed, pack, scratch, evaluate};

#include "untarget.h"
#endif
