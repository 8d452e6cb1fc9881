/* SPDX-License-Identifier: MIT */
/* compiler.h - what kernels ask of a compiler beyond C, whatever the processor. */
#ifndef MMARN_BASE_COMPILER_H
#define MMARN_BASE_COMPILER_H

#include <stddef.h>
#include <stdint.h>

/* For functions whose arguments must be constants in every copy, as a dtype that is switched on must. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/*
 * Asks for a line `ahead` bytes further on, in the second-level cache: lines that far ahead, and rows of x2 a power of
 * two apart, would only evict each other from the first. The address may lie beyond the array, which is harmless to the
 * processor but no pointer in C: so it is computed as a number.
 */
ALWAYS_INLINE void prefetch_ahead(const void *from, ptrdiff_t ahead)
{
    enum { READ = 0, SECOND_LEVEL = 2 };
    __builtin_prefetch((const void *)((uintptr_t)from + (uintptr_t)ahead), READ, SECOND_LEVEL);
}

#endif
