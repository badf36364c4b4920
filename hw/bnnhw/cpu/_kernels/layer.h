/* What a layer is to a kernel: where its windows are, and what its accumulators become.
 *
 * Activations are packed by pixel: a map is [row][column][word], where a word of 64 bits holds 64
 * channels, channel 0 in bit 0. Unused channels are 0 bits. A kernel's window is some segments of
 * consecutive words, one for each of its rows, so nothing is gathered. A layer that needs padding
 * finds it in the map: the layer before writes inside a border that is set once.
 *
 *   one bit   -1 is 0, +1 is 1: one word for 64 channels
 *   ternary   two words for 64 channels, interleaved: the sign (1 for +1) and "is not zero"
 *   bytes     one byte a channel, 0..255
 *
 * Every kernel computes a value v for each neuron and window, small where the neuron is active:
 *
 *   BNN_BITS      v = number of inputs that differ from their weight, over all weight planes
 *   BNN_TERNARY   v = beta * (such inputs that are not zero) - alpha * (inputs that are not zero)
 *   BNN_BYTES     v = sum of (-weight) * byte
 *
 * and a threshold fires where v < limit. Two-bit weights are the sum of 2 or 4 planes of
 * one-bit weights worth 1/2 each.
 *
 * build.py gives this file and network.h to cffi, so that each structure and each constant is written once. They hold
 * plain declarations only.
 */
#ifndef BNN_LAYER_H
#define BNN_LAYER_H

#include <stddef.h>
#include <stdint.h>

enum { BNN_BYTES, BNN_BITS, BNN_TERNARY };                /* bnn_layer.kind */
enum { BNN_ONE_BIT, BNN_TWO_BIT, BNN_SCORES, BNN_FLAGS }; /* bnn_layer.result */

/* Output channels are handled in groups: one word of the output map. */
enum { BNN_GROUP = 64 };

/* Up to this fan-in a sum of bytes times -1..2 fits 16 bits. */
enum { BNN_SHORT_FAN_IN = 32767 / (255 * 2) };

/* Bytes that may be read past a map of bytes. */
enum { BNN_READ_PAST = 16 };

typedef struct {
    int kind, result;
    int outputs; /* neurons */
    int groups;  /* outputs / BNN_GROUP, rounded up */
    int planes;  /* of weights */
    int alpha, beta;

    /* Windows. Units are elements of the input map: bytes, or words of 64 bits. */
    int segments;          /* of a window: its rows, or 1 for a dense layer */
    int segment_length;    /* in weight words, or bytes: consecutive in the map, but for the words of ternary inputs */
    ptrdiff_t in_row;      /* from a segment to the next */
    ptrdiff_t in_column;   /* from a window to its right neighbour */
    ptrdiff_t in_line;     /* from a window to its lower neighbour */
    ptrdiff_t in_image;
    int rows, columns;     /* windows, after pooling */
    int pooled;            /* 1: a position is the smallest v of a 2x2 block of windows */

    /* Outputs: words of 64 bits, or int32 where the layer yields the network's scores. */
    ptrdiff_t out_start;   /* first position inside its border */
    ptrdiff_t out_row, out_column, out_image;

    const int32_t *limits; /* [1 or 2][groups * BNN_GROUP]; unused neurons never fire */
    const int32_t *base;   /* [outputs]: score = base - scale * v */
    int32_t scale;
    const void *weights;   /* as the variant's `pack` left them */
} bnn_layer;

#endif
