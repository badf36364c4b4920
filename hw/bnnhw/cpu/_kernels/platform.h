/* The compiler and the processor that this is compiled for. */
#ifndef BNN_PLATFORM_H
#define BNN_PLATFORM_H

#if defined(_MSC_VER)
#define BNN_INLINE static __forceinline
#else
#define BNN_INLINE static inline __attribute__((always_inline))
#endif

#define BNN_TEXT(text) #text
#define BNN_PRAGMA(text) _Pragma(BNN_TEXT(text))

/* Whether the compiler knows the value. */
#if defined(__GNUC__)
#define BNN_CONSTANT(value) __builtin_constant_p(value)
#else
#define BNN_CONSTANT(value) 0
#endif

/* Before a loop. */
#if defined(__clang__)
#define BNN_UNROLL(times) BNN_PRAGMA(unroll times)
#elif defined(__GNUC__)
#define BNN_UNROLL(times) BNN_PRAGMA(GCC unroll times)
#else
#define BNN_UNROLL(times)
#endif

/* A loop over registers: unrolled, so that an array of them needs no memory. */
#define BNN_EACH(i, count) BNN_UNROLL(4) for (int i = 0; i < (count); i++)

#if defined(__GNUC__) && defined(__x86_64__)
#define BNN_X86 1
#endif

/* 32-bit ARM has NEON or not; gcc compiles for it where asked to, and it is looked for at run time. */
#if defined(__GNUC__) && (defined(__aarch64__) || (defined(__arm__) && defined(__ARM_NEON)) || \
                          (defined(__arm__) && defined(__ARM_PCS_VFP) && __ARM_ARCH >= 7 && defined(__linux__) && !defined(__clang__)))
#define BNN_NEON 1
#endif

#endif
