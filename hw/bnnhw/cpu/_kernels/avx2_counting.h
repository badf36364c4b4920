/* AVX2: the operations that counting is made of, for the 64 neurons of a group, a byte each.
 *
 * counting_plain.h says the same without vectors; tests/kernels/primitives_avx2.c compares both.
 */
#ifndef BNN_AVX2_COUNTING_H
#define BNN_AVX2_COUNTING_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "layer.h"
#include "platform.h"
#include "switches.h"

/* See BNN_PINNED. */
#if BNN_PINNED
#define PIN(vector) __asm__("" : "+x"(vector))
#else
#define PIN(vector) (void)(vector)
#endif

/* Nibbles of a word, words after which bytes are widened, and registers of 16 bits that a group takes. */
enum { NIBBLES = 16, WIDEN = 3, REGISTERS = 4 };

/* tables[choice][weights]; see above. */
#define COUNT(bits) (((bits) & 1) + ((bits) >> 1 & 1) + ((bits) >> 2 & 1) + ((bits) >> 3 & 1))
#define PAIR(choice, weights) (COUNT((choice) ^ (weights)) | COUNT((choice) >> 4 ^ (weights)) << 4)
#define MASKED(choice, weights) COUNT((choice) >> 4 & ((choice) ^ (weights)))
#define FOUR_OF(DO, c, w) DO(c, w), DO(c, (w) + 1), DO(c, (w) + 2), DO(c, (w) + 3)
#define TABLE(DO, c) {FOUR_OF(DO, c, 0), FOUR_OF(DO, c, 4), FOUR_OF(DO, c, 8), FOUR_OF(DO, c, 12)}
#define TABLES_4(DO, c) TABLE(DO, c), TABLE(DO, (c) + 1), TABLE(DO, (c) + 2), TABLE(DO, (c) + 3)
#define TABLES_16(DO, c) TABLES_4(DO, c), TABLES_4(DO, (c) + 4), TABLES_4(DO, (c) + 8), TABLES_4(DO, (c) + 12)
#define TABLES_64(DO, c) TABLES_16(DO, c), TABLES_16(DO, (c) + 16), TABLES_16(DO, (c) + 32), TABLES_16(DO, (c) + 48)
#define TABLES(DO) {TABLES_64(DO, 0), TABLES_64(DO, 64), TABLES_64(DO, 128), TABLES_64(DO, 192)}
static const uint8_t pair_tables[256][16] __attribute__((aligned(64))) = TABLES(PAIR);
static const uint8_t ternary_tables[256][16] __attribute__((aligned(64))) = TABLES(MASKED);

/* Offsets of the tables for four bits of each of two words. */
BNN_INLINE void spread(uint64_t low, uint64_t high, uint16_t *choice) {
    const uint64_t mask = 0x0f0f0f0f0f0f0f0fu;
    const uint64_t even = (low & mask) | (high & mask) << 4, odd = (low >> 4 & mask) | (high & ~mask);
    const __m256i bytes = _mm256_cvtepu8_epi16(_mm_set_epi64x((int64_t)odd, (int64_t)even));
    _mm256_storeu_si256((__m256i *)choice, _mm256_slli_epi16(bytes, 4));
}

BNN_INLINE __m256i load(const void *from) { return _mm256_loadu_si256(from); }

/* A table, in both halves of a register. */
BNN_INLINE __m256i table(const uint8_t (*tables)[16], const uint16_t *choice) {
    return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)((const uint8_t *)tables + *choice)));
}

/* Add to 32 sums: 16 of even bytes, 16 of odd ones. */
BNN_INLINE void add(__m256i even, __m256i odd, uint16_t *sum) {
    _mm256_storeu_si256((__m256i *)sum, _mm256_add_epi16(load(sum), even));
    _mm256_storeu_si256((__m256i *)(sum + 16), _mm256_add_epi16(load(sum + 16), odd));
}

/* What is left of bytes without 16 times others, modulo 256. */
BNN_INLINE __m256i less(__m256i from, __m256i others) {
    return _mm256_and_si256(_mm256_sub_epi16(from, _mm256_slli_epi16(others, 4)), _mm256_set1_epi16(255));
}

/* Part the sums of the first window, in the lower four bits of bytes, from those of the second. `all` are the sums of
 * whole bytes, modulo 256; `upper` those of bytes moved down by four bits, where an even one has got the lower bits
 * of its odd neighbour. */
BNN_INLINE void part(__m256i all, __m256i upper, uint16_t *first, uint16_t *second) {
    const __m256i odd_second = _mm256_srli_epi16(upper, 8);
    const __m256i odd_first = less(_mm256_srli_epi16(all, 8), odd_second);
    const __m256i even_second = less(upper, odd_first);
    const __m256i even_first = less(all, even_second);
    add(even_first, odd_first, first);
    add(even_second, odd_second, second);
}

/* Add the look-ups of some neighbouring nibbles, 3 at most, to the sums of whole bytes and of their upper halves. */
BNN_INLINE void look_up(const uint8_t *weight, const uint16_t *choice, int nibbles, __m256i *all, __m256i *upper) {
    __m256i some[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (int i = 0; i < nibbles; i++) {
        const __m256i counts = table(pair_tables, choice + i);
        BNN_EACH(half, 2) {
            const __m256i found = _mm256_shuffle_epi8(counts, load(weight + i * BNN_GROUP + 32 * half));
            some[half] = _mm256_add_epi8(some[half], found);
        }
    }
    BNN_EACH(half, 2) {
        all[half] = _mm256_add_epi8(all[half], some[half]);
        PIN(all[half]);
        upper[half] = _mm256_add_epi8(upper[half], _mm256_srli_epi16(some[half], 4));
        PIN(upper[half]);
    }
}

/* Add up to WIDEN words to the sums of a pair of windows. */
BNN_INLINE void count_pair(const uint8_t *weight, const int32_t *offset, int words, const uint16_t *choice,
                           uint16_t (*sum)[BNN_GROUP]) {
    const __m256i zero = _mm256_setzero_si256();
    __m256i all[2] = {zero, zero}, upper[2] = {zero, zero};
    for (int word = 0; word < words; word++, weight += NIBBLES * BNN_GROUP) {
        const uint16_t *at = choice + offset[word];
        look_up(weight, at, 3, all, upper);
        look_up(weight + 3 * BNN_GROUP, at + 3, 3, all, upper);
        look_up(weight + 6 * BNN_GROUP, at + 6, 3, all, upper);
        look_up(weight + 9 * BNN_GROUP, at + 9, 3, all, upper);
        look_up(weight + 12 * BNN_GROUP, at + 12, 2, all, upper);
        look_up(weight + 14 * BNN_GROUP, at + 14, 2, all, upper);
    }
    part(all[0], upper[0], sum[0], sum[1]);
    part(all[1], upper[1], sum[0] + 32, sum[1] + 32);
}

/* The same for a single window, or one of ternary inputs. */
BNN_INLINE void count_single(const uint8_t *weight, const int32_t *offset, int words, const uint16_t *choice,
                             uint16_t *sum) {
    __m256i low = _mm256_setzero_si256(), high = low;
    for (int word = 0; word < words; word++, weight += NIBBLES * BNN_GROUP) {
        const uint16_t *at = choice + offset[word];
        for (int i = 0; i < NIBBLES; i++) {
            const __m256i counts = table(ternary_tables, at + i);
            low = _mm256_add_epi8(low, _mm256_shuffle_epi8(counts, load(weight + i * BNN_GROUP)));
            PIN(low);
            high = _mm256_add_epi8(high, _mm256_shuffle_epi8(counts, load(weight + i * BNN_GROUP + 32)));
            PIN(high);
        }
    }
    const __m256i byte = _mm256_set1_epi16(255);
    add(_mm256_and_si256(low, byte), _mm256_srli_epi16(low, 8), sum);
    add(_mm256_and_si256(high, byte), _mm256_srli_epi16(high, 8), sum + 32);
}

/* Values of a group, 16 bits each, in the order of place(). */
typedef struct {
    __m256i r[REGISTERS];
} group_values;

BNN_INLINE uint64_t fired(group_values value, const int16_t *limit) {
    __m256i below[REGISTERS];
    for (int r = 0; r < REGISTERS; r++) below[r] = _mm256_cmpgt_epi16(load(limit + 16 * r), value.r[r]);
    const __m256i low = _mm256_packs_epi16(below[0], below[1]), high = _mm256_packs_epi16(below[2], below[3]);
    return (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32 | (uint32_t)_mm256_movemask_epi8(low);
}

#endif
