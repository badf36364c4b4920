/* What the programs that compare primitives with their plain twins share. */
#ifndef BNN_TESTS_PRIMITIVES_H
#define BNN_TESTS_PRIMITIVES_H

#include <stdio.h>
#include <stdlib.h>

#include "random.h"

static const char *comparing = "";
static long compared = 0;

static inline void expect(int64_t found, int64_t expected, int lane) {
    compared++;
    if (found == expected) return;
    printf("%s: lane %d is %lld and should be %lld\n", comparing, lane, (long long)found, (long long)expected);
    exit(1);
}

#endif
