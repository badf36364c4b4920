/* x86-64 with AVX-512: VPOPCNTDQ counts bits, VPTERNLOG compares and masks, VNNI multiplies the first layer's bytes.
 *
 * Lanes are neurons: 16 in a register of 32-bit lanes, and one word of activations is broadcast to all of
 * them. So there are no sums across lanes, and a comparison yields packed output bits.
 *
 * Packed: int32 negated limits [threshold][group][half][register][lane], then
 * uint32 weights [group][half][plane][word][low, high][register][lane]
 * where a half is 32 neurons in 2 registers, and low and high are the halves of a 64-bit word of inputs.
 * Neurons are dealt to registers as vpackssdw collects them: see place().
 */
#include "layer.h"
#if BNN_X86
#define BNN_TARGET "popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vpopcntdq"
#include "tuning.h"

#include <immintrin.h>
#include <string.h>

#define BNN_POPCOUNT(word) (uint64_t)__builtin_popcountll(word)
#include "dots.h"
#include "store.h"
#include "used.h"
#include "walk.h"

enum { HALF = 32, REGISTERS = 2, LANES = 16, WORD = 2 * REGISTERS * LANES };

/* Keep a vector in its register and its place: left alone, compilers regroup sums until they run out of
 * registers, or load the same weights again for each use, which is what the processor has least of. */
#define PIN(vector) __asm__("" : "+v"(vector))

/* A word of activations may be read through this type, whatever wrote it. */
typedef int32_t __attribute__((may_alias)) half_word;

static ptrdiff_t words(const bnn_layer *layer) { return (ptrdiff_t)layer->planes * layer->runs * layer->run; }

/* Where a neuron of a half is among its 2 * 16 lanes: packing them to 16 bits takes 4 lanes from each register
 * in turn, so neurons that are to end up as neighbours alternate in fours. */
static int place(int neuron) { return neuron % 8 / 4 * LANES + neuron / 8 * 4 + neuron % 4; }

static int thresholds(const bnn_layer *layer) { return layer->result == BNN_TWO_BIT ? 2 : 1; }

static ptrdiff_t limits_size(const bnn_layer *layer) { return (ptrdiff_t)thresholds(layer) * layer->groups * BNN_GROUP; }

BNN_INLINE const int32_t *limits_of(const bnn_layer *layer, int threshold, int group, int half) {
    return (const int32_t *)layer->weights + (threshold * layer->groups + group) * BNN_GROUP + half * HALF;
}

BNN_INLINE const void *weights_of(const bnn_layer *layer) {
    return (const int32_t *)layer->weights + limits_size(layer);
}

static size_t packed(const bnn_layer *layer) {
    size_t bytes = (size_t)layer->groups * 2 * (size_t)words(layer) * WORD * sizeof(uint32_t);
    if (layer->kind == BNN_BYTES) bytes = bnn_dots_packed(layer);
    return (size_t)limits_size(layer) * sizeof(int32_t) + bytes;
}

static void pack(const bnn_layer *layer, const bnn_rows *rows, void *to) {
    const ptrdiff_t window = (ptrdiff_t)layer->runs * layer->run;
    int32_t *limit = to;
    uint32_t *weight = (uint32_t *)to + limits_size(layer);
    for (ptrdiff_t i = 0; i < limits_size(layer); i++) {
        limit[i / HALF * HALF + place((int)(i % HALF))] = -layer->limits[i];
    }
    if (layer->kind == BNN_BYTES) {
        bnn_dots_pack(layer, rows->bytes, place, HALF, (int8_t *)weight);
        return;
    }
    for (int plane = 0; plane < layer->planes; plane++) {
        for (int output = 0; output < layer->outputs; output++) {
            uint32_t *lane =
                weight + (output / HALF * words(layer) + plane * window) * WORD + place(output % HALF);
            for (ptrdiff_t word = 0; word < window; word++) {
                const uint64_t bits = rows->bits[(plane * (ptrdiff_t)layer->outputs + output) * window + word];
                lane[word * WORD] = (uint32_t)bits;
                lane[word * WORD + HALF] = (uint32_t)(bits >> 32);
            }
        }
    }
}

/* Ternary layers keep the number of inputs that are not zero, for each window. */
static size_t scratch(const bnn_layer *layer, int images) {
    if (layer->kind == BNN_BYTES) return bnn_dots_scratch(layer);
    return layer->kind == BNN_BITS ? 0 : bnn_used_size(layer, images);
}

BNN_INLINE __m512i load(const void *from) {
    __m512i vector = _mm512_loadu_si512(from);
    PIN(vector);
    return vector;
}

/* Weights that differ from the inputs of a word. The broadcast is part of the instruction: made by itself, as
 * compilers prefer where two registers share it, it takes time from the arithmetic (Zen 4). */
BNN_INLINE __m512i compare(__m512i bits, const half_word *sign) {
    __m512i differ;
    __asm__("vpxord %2%{1to16%}, %1, %0" : "=v"(differ) : "v"(bits), "m"(*sign));
    return differ;
}

/* The same for inputs that may be 0: one instruction compares and masks. */
BNN_INLINE __m512i compare_ternary(__m512i bits, const half_word *sign, const half_word *used) {
    __m512i differ;
    __asm__("vpbroadcastd %2, %0\n\tvpternlogd $0x28, %3%{1to16%}, %1, %0"
            : "=&v"(differ)
            : "v"(bits), "m"(*sign), "m"(*used));
    return differ;
}

/* Sums are variables with numbers, not arrays: compilers keep arrays in memory as soon as loops index them.
 * Sum s belongs to window s / registers and register s % registers; numbers past the last vanish. */
#define LOAD(to, from) \
    to[0] = load(weight + (from)); \
    to[1] = load(weight + (from) + LANES); \
    to[2] = halves == 1 ? to[0] : load(weight + next + (from)); \
    to[3] = halves == 1 ? to[1] : load(weight + next + (from) + LANES);
#define EIGHT(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

/* Values start at minus the limit where that is all that is asked of them: then those that fire are negative. */
BNN_INLINE int starts_low(const bnn_layer *layer, int ternary) { return layer->result == BNN_ONE_BIT && !ternary; }

/* Bits of the negative ones among the values of half a group. */
BNN_INLINE uint32_t negative(__m512i low, __m512i high) {
    return _cvtmask32_u32(_mm512_movepi16_mask(_mm512_packs_epi32(low, high)));
}

BNN_INLINE uint32_t below(__m512i low, __m512i high, const int32_t *limit) {
    return negative(_mm512_add_epi32(low, _mm512_loadu_si512(limit)),
                    _mm512_add_epi32(high, _mm512_loadu_si512(limit + LANES)));
}

/* Store what becomes of the values of half a group at one position. */
BNN_INLINE void finish(const bnn_layer *layer, int group, int half, int low_start, __m512i low, __m512i high,
                       void *out, ptrdiff_t at) {
    if (layer->result == BNN_ONE_BIT) {
        const uint32_t bits = low_start ? negative(low, high) : below(low, high, limits_of(layer, 0, group, half));
        memcpy((char *)((uint64_t *)out + at) + half * sizeof bits, &bits, sizeof bits);
    } else if (layer->result == BNN_TWO_BIT) {
        const uint32_t lower = below(low, high, limits_of(layer, 0, group, half));
        const uint32_t upper = below(low, high, limits_of(layer, 1, group, half));
        const uint32_t used = upper | ~lower;
        char *word = (char *)((uint64_t *)out + at) + half * sizeof upper;
        memcpy(word, &upper, sizeof upper);
        memcpy(word + sizeof(uint64_t), &used, sizeof used);
    } else {
        int32_t lanes[HALF], value[HALF];
        _mm512_storeu_si512(lanes, low);
        _mm512_storeu_si512(lanes + LANES, high);
        for (int i = 0; i < HALF; i++) value[i] = lanes[place(i)];
        bnn_store_scores(layer, group * BNN_GROUP + half * HALF, HALF, value, (int32_t *)out + at + half * HALF);
    }
}

BNN_INLINE __m512i start(const bnn_layer *layer, int group, int half, int reg, int low) {
    if (!low) return _mm512_setzero_si512();
    return _mm512_loadu_si512(limits_of(layer, 0, group, half) + reg * LANES);
}

/* Count the inputs that differ from their weights, for `count` windows and `halves` halves of a group (both
 * constants), and store what becomes of them. For ternary inputs one operation compares and masks. */
BNN_INLINE void windows(const bnn_layer *layer, const bnn_span *span, const uint64_t *const *window,
                        const int32_t *const *used, void *out, int ternary, int half, int count, int halves) {
    const int registers = halves * REGISTERS, step = ternary ? 2 : 1;
    const int low_start = starts_low(layer, ternary);
    const ptrdiff_t next = words(layer) * WORD;
    const uint32_t *weight = (const uint32_t *)weights_of(layer) + (span->group * 2 + half) * next;
#define BEGIN(s) \
    __m512i sum##s = start(layer, span->group, half + s % registers / REGISTERS, s % REGISTERS, low_start);
#define ADD(s) \
    if (s < count * registers) { \
        const half_word *word = (const half_word *)(window[s / registers] + from + step * i) + high; \
        const __m512i differ = ternary ? compare_ternary(row[s % registers], word, word + 2) \
                                       : compare(row[s % registers], word); \
        sum##s = _mm512_add_epi32(sum##s, _mm512_popcnt_epi32(differ)); \
        PIN(sum##s); \
    }
#define VALUE(s) \
    if (ternary && s < count * registers) { \
        const __m512i offset = _mm512_set1_epi32(layer->alpha * *used[s / registers]); \
        sum##s = _mm512_sub_epi32(_mm512_sll_epi32(sum##s, shift), offset); \
    }
#define FINISH(pair, low, high) \
    if (pair < count * halves) { \
        finish(layer, span->group, half + pair % halves, low_start, low, high, out, \
               span->out + pair / halves * span->out_step); \
    }
    EIGHT(BEGIN)
    for (int plane = 0; plane < layer->planes; plane++) {
        for (int run = 0; run < layer->runs; run++) {
            const ptrdiff_t from = run * layer->in_row;
            for (int i = 0; i < layer->run; i++, weight += WORD) {
                __m512i row[4];
                int high = 0;
                LOAD(row, 0)
                EIGHT(ADD)
                high = 1;
                LOAD(row, HALF)
                EIGHT(ADD)
            }
        }
    }
    const __m128i shift = _mm_cvtsi32_si128(layer->beta - 1);
    EIGHT(VALUE)
    if (layer->pooled && count == 4 && halves == 1) {
        const __m512i low = _mm512_min_epi32(_mm512_min_epi32(sum0, sum2), _mm512_min_epi32(sum4, sum6));
        const __m512i high = _mm512_min_epi32(_mm512_min_epi32(sum1, sum3), _mm512_min_epi32(sum5, sum7));
        finish(layer, span->group, half, low_start, low, high, out, span->out);
    } else {
        FINISH(0, sum0, sum1)
        FINISH(1, sum2, sum3)
        FINISH(2, sum4, sum5)
        FINISH(3, sum6, sum7)
    }
#undef BEGIN
#undef ADD
#undef VALUE
}

BNN_INLINE void halves(const bnn_layer *layer, const bnn_span *span, const uint64_t *const *window,
                       const int32_t *const *used, void *out, int ternary, int count) {
    for (int half = 0; half < 2; half++) windows(layer, span, window, used, out, ternary, half, count, 1);
}

BNN_INLINE void tile(const bnn_layer *layer, const bnn_span *span, const uint64_t *in, void *out, const int32_t *used,
                     int ternary) {
    const uint64_t *window[BNN_TILE] = {0};
    const int32_t *of[BNN_TILE] = {0};
    const int count = bnn_windows(layer, span, in, window);
    if (ternary) bnn_used_of(layer, span, used, of);
    switch (count) {
    case 4: halves(layer, span, window, of, out, ternary, 4); break;
    case 3: halves(layer, span, window, of, out, ternary, 3); break;
    case 2: windows(layer, span, window, of, out, ternary, 0, 2, 2); break;
    default: windows(layer, span, window, of, out, ternary, 0, 1, 2);
    }
}

static void bits_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *unused) {
    (void)unused;
    tile(layer, span, in, out, NULL, 0);
}

static void ternary_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *used) {
    tile(layer, span, in, out, used, 1);
}

BNN_INLINE void products(const bnn_layer *layer, int group, const uint8_t *rows, int count, void *out, ptrdiff_t at,
                         ptrdiff_t out_step) {
    const ptrdiff_t steps = bnn_dots_steps(layer);
    const int8_t *weight = (const int8_t *)weights_of(layer) + group * steps * BNN_GROUP * 4;
    const int low_start = starts_low(layer, 0);
#define SIXTEEN(DO) EIGHT(DO) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define BEGIN(s) __m512i sum##s = start(layer, group, s % 4 / REGISTERS, s % REGISTERS, low_start);
#define ADD(s) \
    if (s / 4 < count) { \
        if (s % 4 == 0) bytes = _mm512_set1_epi32(((const half_word *)rows)[s / 4 * steps + step]); \
        sum##s = _mm512_dpbusd_epi32(sum##s, bytes, factor[s % 4]); \
        PIN(sum##s); \
    }
#undef FINISH
#define FINISH(w, a, b, c, d) \
    if (w < count) { \
        if (low_start) { \
            ((uint64_t *)out)[at + w * out_step] = negative(a, b) | (uint64_t)negative(c, d) << HALF; \
        } else { \
            finish(layer, group, 0, 0, a, b, out, at + w * out_step); \
            finish(layer, group, 1, 0, c, d, out, at + w * out_step); \
        } \
    }
    SIXTEEN(BEGIN)
    for (ptrdiff_t step = 0; step < steps; step++, weight += BNN_GROUP * 4) {
        const __m512i factor[4] = {load(weight), load(weight + 64), load(weight + 128), load(weight + 192)};
        __m512i bytes = _mm512_setzero_si512();
        SIXTEEN(ADD)
    }
    FINISH(0, sum0, sum1, sum2, sum3)
    FINISH(1, sum4, sum5, sum6, sum7)
    FINISH(2, sum8, sum9, sum10, sum11)
    FINISH(3, sum12, sum13, sum14, sum15)
#undef BEGIN
#undef ADD
#undef FINISH
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

static void run(const bnn_layer *layer, const void *in, void *out, int images, void *memory) {
    switch (layer->kind) {
    case BNN_BYTES: bnn_dots_run(layer, in, out, images, memory, dots); break;
    case BNN_BITS: bnn_walk(layer, in, out, images, memory, bits_tile); break;
    default:
        bnn_count_used(layer, in, images, memory);
        bnn_walk(layer, in, out, images, memory, ternary_tile);
    }
}

const bnn_variant bnn_avx512 = {"avx512", packed, pack, scratch, run};

#include "untarget.h"
#endif
