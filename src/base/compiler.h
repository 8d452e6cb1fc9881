/* SPDX-License-Identifier: MIT */
/* compiler.h - what kernels need from a compiler beyond C, on any processor. */
#ifndef MMARN_BASE_COMPILER_H
#define MMARN_BASE_COMPILER_H

#include <stddef.h>
#include <stdint.h>

/* For functions whose arguments must be constants in every copy, for example a dtype in a switch. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/*
 * Prefetches a line `ahead` bytes further on, into the second-level cache: lines that far ahead, and rows of x2 that
 * are a power of two apart, would only evict each other from the first level. The address may lie beyond the array.
 * That is harmless to the processor, but is not a valid pointer in C, so the address is computed as a number.
 */
ALWAYS_INLINE void prefetch_ahead(const void *from, ptrdiff_t ahead)
{
    enum { READ = 0, SECOND_LEVEL = 2 };
    __builtin_prefetch((const void *)((uintptr_t)from + (uintptr_t)ahead), READ, SECOND_LEVEL);
}

#endif
