/* The compiler and the processor that this is compiled for. */
#ifndef BNN_PLATFORM_H
#define BNN_PLATFORM_H

#if defined(_MSC_VER)
#define BNN_INLINE static __forceinline
#else
#define BNN_INLINE static inline __attribute__((always_inline))
#endif

#if defined(__GNUC__) && defined(__x86_64__)
#define BNN_X86 1
#endif

/* 32-bit ARM has NEON or not; gcc compiles for it where asked to, and it is looked for at run time. */
#if defined(__GNUC__) && (defined(__aarch64__) || (defined(__arm__) && defined(__ARM_NEON)) || \
                          (defined(__arm__) && defined(__ARM_PCS_VFP) && __ARM_ARCH >= 7 && defined(__linux__) && !defined(__clang__)))
#define BNN_NEON 1
#endif

#endif
