/* First in a kernel file: compile what follows for BNN_TARGET if defined, and optimise it even where the rest is
 * compiled with -O2. gcc takes both as pragmas; clang optimises these loops at -O2 and has its own for targets. */
#ifndef BNN_TUNING_H
#define BNN_TUNING_H

#define BNN_TEXT(text) #text
#define BNN_PRAGMA(text) _Pragma(BNN_TEXT(text))

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
/* gcc's other tunings keep addresses in vector registers where it runs out of plain ones. To come back they queue
 * behind the arithmetic, and the loads that they are for wait: 3 percent of a convolution. */
#pragma GCC target("tune=k8")
#endif
#endif

#endif
