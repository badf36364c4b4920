/* The face of the kernels: what Python calls. Shapes and sizes are worked out and checked there. */
#ifndef BNN_NETWORK_H
#define BNN_NETWORK_H

#include "layer.h"

/* How the bytes of an image become the first map. */
enum {
    BNN_PIXELS,     /* q(v) + 128 as a byte; the border is 128, which stands for 0 */
    BNN_SIGN_BYTES, /* 2 where v >= 128, else 0: one more than the sign; the border is 0 */
    BNN_SIGN_BITS   /* one bit a byte, packed over the whole image; no border */
};

typedef struct {
    int encoding;
    int height, row_bytes; /* of the image */
    int border_rows, border_bytes; /* above and below; left and right of each row */
    ptrdiff_t image;       /* elements of the first map: bytes, or words of 64 bits */
} bnn_input;

/* A maximum pool: the union of the bits of its window. */
typedef struct {
    int ternary;
    int size, stride;
    int rows, columns;
    int words; /* a pixel */
    ptrdiff_t in_row, in_image;
    ptrdiff_t out_start, out_row, out_image;
} bnn_pool;

typedef struct bnn_network bnn_network;
typedef struct bnn_workspace bnn_workspace;

/* Name of a variant that was compiled in, the most capable first; NULL past the last. */
const char *bnn_variant_name(int index);
/* 1 if this processor can run that variant. */
int bnn_variant_usable(int index);

/* Make a network of `stages` stages; then add each in order. NULL, or -1: out of memory. */
bnn_network *bnn_network_new(int variant, const bnn_input *input, int stages);
int bnn_network_layer(bnn_network *network, const bnn_layer *layer, const uint64_t *bits,
                      const int8_t *bytes, const int32_t *limits, const int32_t *base);
void bnn_network_pool(bnn_network *network, const bnn_pool *pool);
void bnn_network_free(bnn_network *network);

/* Memory of one thread: the maps of up to `images` images at a time. NULL: out of memory. */
bnn_workspace *bnn_workspace_new(const bnn_network *network, int images);
void bnn_workspace_free(bnn_workspace *workspace);

/* Evaluate `count` images of bytes; scores is int32 [count][outputs]. Not 0: it was ended before, and scores hold
 * anything. */
int bnn_evaluate(const bnn_network *network, bnn_workspace *workspace, const uint8_t *images,
             ptrdiff_t count, int32_t *scores);
/* The same, ended soon after `stop` points to anything but 0. */
int bnn_evaluate_until(const bnn_network *network, bnn_workspace *workspace, const uint8_t *images,
             ptrdiff_t count, int32_t *scores, const int *stop);

/* What a thread is asked some times a second while it evaluates; not 0: end. */
typedef int bnn_question(void);
void bnn_ask(bnn_question *asked);

#endif
