/* ARM with NEON: aarch64, and armv7 as on the boards. VCNT counts the bits of bytes.
 *
 * Lanes are neurons: a word of 32 activations is broadcast, and each 32-bit lane compares it with its neuron's
 * weights. The four bytes of a lane are counted apart and added as bytes, 8 at most a step, and widened every
 * 31 steps; so armv7, which has only 64-bit halves for many operations, needs no sums across lanes either.
 *
 * Packed weights: uint32 [group][plane][word][low, high][BNN_GROUP]; bytes as in bytes.h.
 */
#include "platform.h"
#if BNN_NEON
#if !defined(__ARM_NEON)
#define BNN_TARGET "fpu=neon"
#endif
#include "tuning.h"

#include <arm_neon.h>
#include <string.h>

#include "bytes.h"
#include "store.h"

static inline uint64_t count_bits(uint64_t word) {
    return vget_lane_u64(vpaddl_u32(vpaddl_u16(vpaddl_u8(vcnt_u8(vcreate_u8(word))))), 0);
}
#define BNN_POPCOUNT(word) count_bits(word)
#include "used.h"
#include "variants.h"
#include "walk.h"

/* Registers of 4 neurons that are summed together, and words whose counts fit a byte: 2 * 8 a word. */
enum { REGISTERS = 4, LANES = 4, PART = REGISTERS * LANES, WIDEN = 255 / 16 };

static ptrdiff_t words(const bnn_layer *layer) { return (ptrdiff_t)layer->planes * layer->segments * layer->segment_length; }

static size_t packed(const bnn_layer *layer) {
    if (layer->kind == BNN_BYTES) return bnn_bytes_packed(layer);
    return (size_t)layer->groups * (size_t)words(layer) * 2 * BNN_GROUP * sizeof(uint32_t);
}

static void pack(const bnn_layer *layer, const bnn_rows *rows, void *to) {
    const ptrdiff_t window = (ptrdiff_t)layer->segments * layer->segment_length;
    if (layer->kind == BNN_BYTES) {
        bnn_bytes_pack(layer, rows->bytes, to);
        return;
    }
    for (int plane = 0; plane < layer->planes; plane++) {
        for (int output = 0; output < layer->outputs; output++) {
            uint32_t *lane = (uint32_t *)to +
                             (output / BNN_GROUP * words(layer) + plane * window) * 2 * BNN_GROUP + output % BNN_GROUP;
            for (ptrdiff_t word = 0; word < window; word++, lane += 2 * BNN_GROUP) {
                const uint64_t bits = rows->bits[(plane * (ptrdiff_t)layer->outputs + output) * window + word];
                lane[0] = (uint32_t)bits;
                lane[BNN_GROUP] = (uint32_t)(bits >> 32);
            }
        }
    }
}

static size_t scratch(const bnn_layer *layer, int images) {
    return layer->kind == BNN_TERNARY ? bnn_used_size(layer, images) : 0;
}

BNN_INLINE uint8x16_t broadcast(uint64_t word, int high) {
    return vreinterpretq_u8_u32(vdupq_n_u32((uint32_t)(word >> (32 * high))));
}

/* Add the counts of four bytes to each lane's sum. */
BNN_INLINE uint32x4_t widen(uint32x4_t sum, uint8x16_t bytes) { return vpadalq_u16(sum, vpaddlq_u8(bytes)); }

/* Count the inputs of a window that differ from the weights of PART neurons; `ternary` is a constant. */
BNN_INLINE void differing(const bnn_layer *layer, const uint32_t *weight, const uint64_t *window, int ternary,
                          int32_t *value) {
    uint32x4_t sum[REGISTERS];
    uint8x16_t bytes[REGISTERS];
    int filled = 0;
    for (int r = 0; r < REGISTERS; r++) {
        sum[r] = vdupq_n_u32(0);
        bytes[r] = vdupq_n_u8(0);
    }
    for (int plane = 0; plane < layer->planes; plane++) {
        for (int segment = 0; segment < layer->segments; segment++) {
            const uint64_t *at = window + segment * layer->in_row;
            for (int i = 0; i < layer->segment_length; i++, weight += 2 * BNN_GROUP) {
                for (int high = 0; high < 2; high++) {
                    const uint8x16_t sign = broadcast(ternary ? at[2 * i] : at[i], high);
                    const uint8x16_t used = ternary ? broadcast(at[2 * i + 1], high) : sign;
                    for (int r = 0; r < REGISTERS; r++) {
                        const uint8x16_t bits =
                            vreinterpretq_u8_u32(vld1q_u32(weight + high * BNN_GROUP + r * LANES));
                        uint8x16_t differ = veorq_u8(bits, sign);
                        if (ternary) differ = vandq_u8(differ, used);
                        bytes[r] = vaddq_u8(bytes[r], vcntq_u8(differ));
                    }
                }
                if (++filled == WIDEN) {
                    for (int r = 0; r < REGISTERS; r++) {
                        sum[r] = widen(sum[r], bytes[r]);
                        bytes[r] = vdupq_n_u8(0);
                    }
                    filled = 0;
                }
            }
        }
    }
    for (int r = 0; r < REGISTERS; r++) vst1q_s32(value + r * LANES, vreinterpretq_s32_u32(widen(sum[r], bytes[r])));
}

BNN_INLINE void tile(const bnn_layer *layer, const bnn_span *span, const uint64_t *in, void *out, const int32_t *used,
                     int ternary) {
    const uint64_t *window[BNN_TILE] = {0};
    const int32_t *of[BNN_TILE] = {0};
    const uint32_t *weight = (const uint32_t *)layer->weights + span->group * words(layer) * 2 * BNN_GROUP;
    const int count = bnn_windows(layer, span, in, window);
    int32_t value[BNN_TILE][BNN_GROUP];
    if (ternary) bnn_used_of(layer, span, used, of);
    for (int part = 0; part < BNN_GROUP; part += PART) {
        for (int w = 0; w < count; w++) differing(layer, weight + part, window[w], ternary, value[w] + part);
    }
    for (int w = 0; ternary && w < count; w++) {
        for (int i = 0; i < BNN_GROUP; i++) value[w][i] = layer->beta * value[w][i] - layer->alpha * *of[w];
    }
    bnn_store_span(layer, span, count, value, bnn_least_int32, bnn_store_int32, out);
}

static void bits_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *unused) {
    (void)unused;
    tile(layer, span, in, out, NULL, 0);
}

static void ternary_tile(const bnn_layer *layer, const bnn_span *span, const void *in, void *out, void *used) {
    tile(layer, span, in, out, used, 1);
}

static void evaluate(const bnn_layer *layer, const void *in, void *out, int images, void *memory, bnn_watch *watch) {
    switch (layer->kind) {
    case BNN_BYTES: bnn_walk(layer, in, out, images, memory, watch, bnn_bytes_tile); break;
    case BNN_BITS: bnn_walk(layer, in, out, images, memory, watch, bits_tile); break;
    default:
        bnn_walk(layer, in, out, images, bnn_count_used(layer, in, images, memory, watch), watch, ternary_tile);
    }
}

const bnn_variant bnn_neon = {"neon", packed, pack, scratch, evaluate};
#endif
