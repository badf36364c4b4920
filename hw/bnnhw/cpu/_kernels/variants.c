/* Which variants were compiled in, and which of them this processor can run. */
#include "variants.h"

#if BNN_X86
#include <cpuid.h>

/* The operating system saves wide registers on a switch if their bits of XCR0 are set. */
static int saves(unsigned mask) {
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & mask) == mask;
}

static int has_popcnt(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_POPCNT);
}

static int has_avx2(void) {
    unsigned a, b, c, d;
    return has_popcnt() && saves(0x06) && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1u << 5);
}

static int has_avx512(void) {
    const unsigned want_b = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
    const unsigned want_c = 1u << 11 | 1u << 14;                       /* VNNI, VPOPCNTDQ */
    unsigned a, b, c, d;
    return has_avx2() && saves(0xe6) && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & want_b) == want_b &&
           (c & want_c) == want_c;
}
#endif

#if BNN_NEON && defined(__arm__) && defined(__linux__)
#include <sys/auxv.h>

static int has_neon(void) { return (getauxval(AT_HWCAP) & 1ul << 12) != 0; } /* HWCAP_NEON */
#elif BNN_NEON
static int has_neon(void) { return 1; } /* every aarch64 has it; elsewhere the compiler was told so */
#endif

static int always(void) { return 1; }

static const struct {
    const bnn_variant *variant;
    int (*usable)(void);
} variants[] = {
#if BNN_X86
    {&bnn_avx512, has_avx512},
    {&bnn_avx2, has_avx2},
    {&bnn_popcnt, has_popcnt},
#endif
#if BNN_NEON
    {&bnn_neon, has_neon},
#endif
    {&bnn_portable, always},
};

enum { VARIANTS = sizeof variants / sizeof variants[0] };

const char *bnn_variant_name(int index) {
    return index >= 0 && index < VARIANTS ? variants[index].variant->name : NULL;
}

int bnn_variant_usable(int index) { return index >= 0 && index < VARIANTS && variants[index].usable(); }

const bnn_variant *bnn_variant_at(int index) { return variants[index].variant; }
