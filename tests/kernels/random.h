/* Random numbers that are the same on every machine. */
#ifndef BNN_TESTS_RANDOM_H
#define BNN_TESTS_RANDOM_H

#include <stdint.h>

static uint64_t random_state = 1;

static inline uint64_t random_bits(void) { /* xorshift64* */
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 0x2545f4914f6cdd1du;
}

static inline int pick(int low, int high) { return low + (int)(random_bits() % (uint64_t)(high - low + 1)); }

/* Random bits, or with some chance none or all, where carries are longest. */
static inline uint64_t random_word(void) {
    switch (pick(0, 7)) {
    case 0: return 0;
    case 1: return ~(uint64_t)0;
    default: return random_bits();
    }
}

#endif
