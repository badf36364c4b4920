/* x86-64 with the POPCNT instruction (every processor since 2009). */
#include "platform.h"
#if BNN_X86
#define BNN_TARGET "popcnt"
#include "tuning.h"

#define BNN_POPCOUNT(word) (uint64_t)__builtin_popcountll(word)
#define SCALAR_VARIANT bnn_popcnt
#define SCALAR_NAME "popcnt"
#include "scalar.h"

#include "untarget.h"
#endif
