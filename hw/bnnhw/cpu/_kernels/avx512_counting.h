/* AVX-512: the operations that counting is made of, each for 16 neurons a register.
 *
 * They are written out, with addresses of a register and an index: compilers would make a broadcast by itself where two
 * registers share it, and would keep more addresses than there are registers. counting_plain.h says the same without
 * assembly; tests/kernels/primitives_avx512.c compares both.
 */
#ifndef BNN_AVX512_COUNTING_H
#define BNN_AVX512_COUNTING_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "platform.h"

/* A group of neurons takes so many registers of so many lanes. */
enum { REGISTERS = 4, LANES = 16 };

/* Bytes may be read through this type. */
typedef int32_t __attribute__((may_alias)) half_word;

BNN_INLINE __m512i load(const void *from) { return _mm512_loadu_si512(from); }

/* The operands of a half word of inputs, which is broadcast to all lanes, and of a row of weights. */
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

/* The same for the four registers of a group; see BNN_FOUR_TERNARY. */
BNN_INLINE void count_four_ternary(__m512i *sum, const uint32_t *weight, __m512i sign, __m512i used) {
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
            : "+v"(sum[0]), "+v"(sum[1]), "+v"(sum[2]), "+v"(sum[3]), "=&v"(differ0), "=&v"(differ1),
              "=&v"(differ2), "=&v"(differ3)
            : "v"(sign), "v"(used), ROW(weight, 0), ROW(weight, 1), ROW(weight, 2), ROW(weight, 3));
}

/* The same for two registers and a pair of planes. */
BNN_INLINE void count_two_pairs(__m512i *sum, const uint32_t *weight, __m512i twos, __m512i sign, __m512i used) {
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
            : "+&v"(sum[0]), "+&v"(sum[1]), "=&v"(equal0), "=&v"(equal1), "=&v"(differ0), "=&v"(differ1)
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
    return _mm512_set1_epi32(*(const half_word *)((const char *)map + at));
}

/* Values of a group of neurons. */
typedef struct {
    __m512i r[REGISTERS];
} group_values;

/* Bits of the negative values of a group. */
BNN_INLINE uint64_t negative(group_values v) {
    const __m512i low = _mm512_packs_epi32(v.r[0], v.r[1]), high = _mm512_packs_epi32(v.r[2], v.r[3]);
    return _cvtmask64_u64(_mm512_movepi8_mask(_mm512_packs_epi16(low, high)));
}

/* The values with others added, as they are packed. */
BNN_INLINE group_values plus(group_values v, const int32_t *limit) {
    for (int r = 0; r < REGISTERS; r++) v.r[r] = _mm512_add_epi32(v.r[r], _mm512_loadu_si512(limit + r * LANES));
    return v;
}

#endif
