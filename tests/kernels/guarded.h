/* Instead of the kernels' memory.h: memory that ends where a page begins that cannot be read or written, and begins
 * less than a page after another one. AddressSanitizer does not see what assembly reads; the processor does. */
#ifndef BNN_TESTS_GUARDED_H
#define BNN_TESTS_GUARDED_H

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A page with the size of the whole, a guard, what was asked for, and a guard. */
static inline void *bnn_allocate(size_t bytes) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), asked = bytes ? bytes : 1;
    const size_t room = (asked + page - 1) / page * page, whole = room + 3 * page;
    char *base = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return NULL;
    memcpy(base, &whole, sizeof whole);
    if (mprotect(base + page, page, PROT_NONE) != 0 || mprotect(base + whole - page, page, PROT_NONE) != 0) return NULL;
    return base + 2 * page + (room - asked) / 8 * 8; /* words of 64 bits are aligned */
}

static inline void bnn_release(void *memory) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t whole;
    char *base;
    if (memory == NULL) return;
    base = (char *)memory - (uintptr_t)memory % page - 2 * page;
    memcpy(&whole, base, sizeof whole);
    munmap(base, whole);
}

#endif
