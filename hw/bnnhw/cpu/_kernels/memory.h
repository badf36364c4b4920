/* Memory aligned to a cache line, which no more than what was asked for: a checker sees any access past it. */
#ifndef BNN_MEMORY_H
#define BNN_MEMORY_H

#if defined(BNN_GUARDED)
#include "guarded.h" /* of the tests: between pages that cannot be read, for what is written in assembly, too */
#else
#include <stdlib.h>
#include <string.h>
#if defined(_WIN32)
#include <malloc.h>
#endif

static inline void *bnn_allocate(size_t bytes) {
    void *memory = NULL;
    if (bytes == 0) bytes = 1;
#if defined(_WIN32)
    memory = _aligned_malloc(bytes, 64);
#else
    if (posix_memalign(&memory, 64, bytes) != 0) memory = NULL;
#endif
    if (memory != NULL) memset(memory, 0, bytes);
    return memory;
}

static inline void bnn_release(void *memory) {
#if defined(_WIN32)
    _aligned_free(memory);
#else
    free(memory);
#endif
}
#endif

#endif
