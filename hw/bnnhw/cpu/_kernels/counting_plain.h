/* What the counting primitives of avx512_counting.h and avx2_counting.h compute, for one neuron and without special
 * instructions. Nothing runs this but tests/kernels, which hold the primitives to it word by word. */
#ifndef BNN_COUNTING_PLAIN_H
#define BNN_COUNTING_PLAIN_H

#include <stdint.h>

static inline int32_t bnn_plain_popcount(uint64_t word) {
    int32_t count = 0;
    for (; word != 0; word >>= 1) count += (int32_t)(word & 1);
    return count;
}

/* Inputs that differ from their weights. */
static inline int32_t bnn_plain_count(uint64_t weight, uint64_t input) { return bnn_plain_popcount(weight ^ input); }

/* The same where `used` says which inputs are not zero. */
static inline int32_t bnn_plain_count_ternary(uint64_t weight, uint64_t sign, uint64_t used) {
    return bnn_plain_popcount(used & (weight ^ sign));
}

/* For three words; in the place of the third is the parity of all three. */
static inline int32_t bnn_plain_count_three(const uint64_t *weight, const uint64_t *input) {
    return bnn_plain_count(weight[0], input[0]) + bnn_plain_count(weight[1], input[1]) +
           bnn_plain_count(weight[0] ^ weight[1] ^ weight[2], input[0] ^ input[1] ^ input[2]);
}

/* For a pair of planes: inputs that differ from their weights, of both, less the inputs that are not zero. */
static inline int32_t bnn_plain_count_planes(uint64_t first, uint64_t second, uint64_t sign, uint64_t used) {
    return bnn_plain_count_ternary(first, sign, used) + bnn_plain_count_ternary(second, sign, used) -
           bnn_plain_popcount(used);
}

#endif
