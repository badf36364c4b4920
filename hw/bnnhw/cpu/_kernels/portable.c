/* The variant for every processor and compiler: bits are counted by adding neighbouring fields. */
#include "tuning.h"

#include <stdint.h>

#if defined(__aarch64__)
#define BNN_POPCOUNT(word) (uint64_t)__builtin_popcountll(word)
#else
static inline uint64_t count_bits(uint64_t word) {
    word -= word >> 1 & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return word * 0x0101010101010101u >> 56;
}
#define BNN_POPCOUNT(word) count_bits(word)
#endif

#define SCALAR_VARIANT bnn_portable
#define SCALAR_NAME "portable"
#include "scalar.h"
