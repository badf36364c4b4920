/* Bytes to bits. */
#ifndef BNN_BITS_H
#define BNN_BITS_H

#include <stdint.h>
#include <string.h>

/* Top bits of 8 bytes, the first in bit 0. The product moves bit 8i to bit 56 + i, without carries. */
static inline uint64_t bnn_top_bits(const uint8_t *from) {
    uint64_t bytes;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bytes = 0;
    for (int i = 0; i < 8; i++) bytes |= (uint64_t)from[i] << (8 * i);
#else
    memcpy(&bytes, from, sizeof bytes);
#endif
    return ((bytes >> 7 & 0x0101010101010101u) * 0x0102040810204080u) >> 56;
}

#endif
