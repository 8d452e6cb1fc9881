/* SPDX-License-Identifier: MIT */
/* memory.c - aligned, zeroed blocks. Large blocks are mapped separately, so that huge pages can hold them. */
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20 };

void *memory_alloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX - HUGE_PAGE)
        return NULL;
    size_t alignment = bytes >= HUGE_PAGE ? HUGE_PAGE : ALIGNMENT;
    bytes = (bytes + alignment) / alignment * alignment;
    void *block = aligned_alloc(alignment, bytes);
    if (!block)
        return NULL;
    /* This is only advice: without huge pages everything works, a little slower. */
    if (alignment == HUGE_PAGE)
        madvise(block, bytes, MADV_HUGEPAGE);
    return memset(block, 0, bytes);
}

void memory_free(void *block)
{
    free(block);
}
