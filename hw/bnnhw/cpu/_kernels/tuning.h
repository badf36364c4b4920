/* First in a kernel file: compile what follows for BNN_TARGET if defined, and optimise it even where the rest is
 * compiled with -O2, with gcc for BNN_TUNE. gcc takes these as pragmas; clang optimises such loops at -O2 and has its
 * own for targets. */
#ifndef BNN_TUNING_H
#define BNN_TUNING_H

#include "platform.h"

#if defined(__clang__)
#if defined(BNN_TARGET)
BNN_PRAGMA(clang attribute push(__attribute__((target(BNN_TARGET))), apply_to = function))
#endif
#elif defined(__GNUC__)
#if defined(__OPTIMIZE__)
#pragma GCC optimize("O3")
#endif
#if defined(BNN_TARGET)
BNN_PRAGMA(GCC target(BNN_TARGET))
#endif
#if defined(BNN_TUNE)
BNN_PRAGMA(GCC target(BNN_TUNE))
#endif
#endif

#endif
