/*
 * gemm_edge.h - the last columns of C, fewer than a panel: register tiles have them in a buffer of whole panels, so
 * that no column beyond n is touched. fp32 and int32 alike.
 */
#ifndef MMARN_GEMM_GEMM_EDGE_H
#define MMARN_GEMM_GEMM_EDGE_H

#include <stddef.h>
#include <string.h>

enum { GEMM_EDGE_SIZE = 4 /* bytes of an element */ };

/* rows x columns elements, whose rows are ld_from and ld_to elements apart. */
static inline void gemm_edge_copy(const void *from, ptrdiff_t ld_from, void *to, ptrdiff_t ld_to, int rows, int columns)
{
    for (int i = 0; i < rows; i++)
        memcpy((char *)to + i * ld_to * GEMM_EDGE_SIZE, (const char *)from + i * ld_from * GEMM_EDGE_SIZE,
               (size_t)columns * GEMM_EDGE_SIZE);
}

#endif
