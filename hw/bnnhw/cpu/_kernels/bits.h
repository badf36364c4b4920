/* Bytes to bits. */
#ifndef BNN_BITS_H
#define BNN_BITS_H

#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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

/* Top bits of 64 bytes. */
static inline uint64_t bnn_top_bits_64(const uint8_t *from) {
    uint64_t word = 0;
#if defined(__SSE2__)
    for (int i = 0; i < 64; i += 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(from + i));
        word |= (uint64_t)(uint32_t)_mm_movemask_epi8(bytes) << i;
    }
#else
    for (int i = 0; i < 64; i += 8) word |= bnn_top_bits(from + i) << i;
#endif
    return word;
}

#endif
