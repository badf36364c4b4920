/* The bytes of an image as the first layer's input map. */
#ifndef BNN_ENCODE_H
#define BNN_ENCODE_H

#include <string.h>

#include "bits.h"
#include "network.h"

/* q(v) + 128: bytes from 128 on move up by one, and 255 stays. */
static inline void bnn_encode_pixels(const uint8_t *from, int count, uint8_t *to) {
    for (int i = 0; i < count; i++) to[i] = (uint8_t)(from[i] + (from[i] >> 7) - (from[i] == 255));
}

static inline void bnn_encode_sign_bytes(const uint8_t *from, int count, uint8_t *to) {
    for (int i = 0; i < count; i++) to[i] = (uint8_t)(from[i] >> 7 << 1);
}

static inline void bnn_encode_sign_bits(const uint8_t *from, int count, uint64_t *to) {
    int i = 0;
    for (; i + 64 <= count; i += 64) to[i / 64] = bnn_top_bits_64(from + i);
    if (i < count) {
        uint64_t word = 0;
        for (int bit = 0; i + bit < count; bit++) word |= (uint64_t)(from[i + bit] >> 7) << bit;
        to[i / 64] = word;
    }
}

static inline void bnn_encode(const bnn_input *input, const uint8_t *images, int count, void *map) {
    const int row = input->row_bytes, padded = row + 2 * input->border_bytes;
    for (int image = 0; image < count; image++) {
        if (input->encoding == BNN_SIGN_BITS) {
            bnn_encode_sign_bits(images, input->height * row, (uint64_t *)map + image * input->image);
        } else {
            uint8_t *to = (uint8_t *)map + image * input->image +
                          (ptrdiff_t)input->border_rows * padded + input->border_bytes;
            for (int y = 0; y < input->height; y++) {
                if (input->encoding == BNN_PIXELS) {
                    bnn_encode_pixels(images + (ptrdiff_t)y * row, row, to + (ptrdiff_t)y * padded);
                } else {
                    bnn_encode_sign_bytes(images + (ptrdiff_t)y * row, row, to + (ptrdiff_t)y * padded);
                }
            }
        }
        images += (ptrdiff_t)input->height * row;
    }
}

#endif
