/* Which variants were compiled in, and which of them this processor can run. */
#include "variants.h"

#if BNN_X86
#include <cpuid.h>

static int has_popcnt(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_POPCNT);
}
#endif

static int always(void) { return 1; }

static const struct {
    const bnn_variant *variant;
    int (*runs)(void);
} variants[] = {
#if BNN_X86
    {&bnn_popcnt, has_popcnt},
#endif
    {&bnn_portable, always},
};

enum { VARIANTS = sizeof variants / sizeof variants[0] };

const char *bnn_variant_name(int index) {
    return index >= 0 && index < VARIANTS ? variants[index].variant->name : NULL;
}

int bnn_variant_runs(int index) { return index >= 0 && index < VARIANTS && variants[index].runs(); }

const bnn_variant *bnn_variant_at(int index) { return variants[index].variant; }
