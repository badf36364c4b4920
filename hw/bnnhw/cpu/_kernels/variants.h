/* What each instruction set's kernels offer, and the table of them, the most capable first. */
#ifndef BNN_VARIANTS_H
#define BNN_VARIANTS_H

#include "network.h"
#include "platform.h"
#include "watch.h"

/* Weights as they are given, before a variant packs them its own way:
 * bits [planes][outputs][words of a window], or bytes [outputs][bytes of a window], negated. */
typedef struct {
    const uint64_t *bits;
    const int8_t *bytes;
} bnn_rows;

/* One instruction set's kernels. */
typedef struct {
    const char *name;
    /* Bytes that the packed weights of a layer take. */
    size_t (*packed)(const bnn_layer *layer);
    void (*pack)(const bnn_layer *layer, const bnn_rows *rows, void *packed);
    /* Bytes of scratch memory that `evaluate` wants. */
    size_t (*scratch)(const bnn_layer *layer, int images);
    /* Evaluate a layer for some images; where the watch ends it, the outputs hold anything. */
    void (*evaluate)(const bnn_layer *layer, const void *in, void *out, int images, void *scratch, bnn_watch *watch);
} bnn_variant;

extern const bnn_variant bnn_portable;
#if BNN_X86
extern const bnn_variant bnn_popcnt, bnn_avx2, bnn_avx512;
#endif
#if BNN_NEON
extern const bnn_variant bnn_neon;
#endif

const bnn_variant *bnn_variant_at(int index);

#endif
