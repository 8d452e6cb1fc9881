/* SPDX-License-Identifier: MIT */
/*
 * panels.h - the layout of packed weights, which all kernels share: ceil(n / GEMM_NR) panels of GEMM_NR columns, each
 * contiguous, k rows one after another, with zeros in the columns from n on. What a row looks like depends on the type:
 *   f16, f32, int8   GEMM_NR elements.
 *   int4             eight rows in 16 words of 32 bits, one for each column, with four bits for each row
 *                    (gemm_i4_shift). They are zeros after the last row of k. An even row is in the upper half of its
 *                    word, and the row after it in the lower half, at the same place: one shift brings a pair of rows
 *                    to the ends of both halves.
 *   bf16             two rows in 16 words of 32 bits, one for each column: element 32 q + 2 j + 1 is row 2 q, column j,
 *                    and element 32 q + 2 j is row 2 q + 1, zero after the last row of an odd k. So a word's upper half
 *                    comes first down k, as vdpbf16ps requires.
 * int8 that meets int8 is then interleaved by its kernel (i8_kernel.h).
 */
#ifndef MMARN_GEMM_KERNEL_PANELS_H
#define MMARN_GEMM_KERNEL_PANELS_H

#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"

enum { GEMM_NR = 16 /* columns of a panel */ };

/* Bytes of this many elements: even for i4. */
static inline ptrdiff_t gemm_bytes(int32_t dtype, int64_t elements)
{
    return (ptrdiff_t)(elements * dtype_bits(dtype) / 8);
}

enum { GEMM_I4_ROWS = 8 /* of k in a word of int4 */ };

/* How far to the left row p % GEMM_I4_ROWS of k is in its word. */
static inline int gemm_i4_shift(int p)
{
    return p % GEMM_I4_ROWS / 2 * 4 + (p % 2 ? 0 : 16);
}

/* Rows of k that belong together: a panel has whole groups of them, and a run begins with one. */
static inline int gemm_rows_together(int32_t dtype)
{
    return dtype == MMARN_I4 ? GEMM_I4_ROWS : dtype == MMARN_BF16 ? 2 : 1;
}

/* Elements from one panel of k rows to the next. A row p that begins a group begins at element p * GEMM_NR. */
static inline ptrdiff_t gemm_panel(int32_t dtype, int64_t k)
{
    const int together = gemm_rows_together(dtype);
    return (ptrdiff_t)(GEMM_NR * ((k + together - 1) / together * together));
}

/* How many panels n columns take, the last one perhaps in part. */
static inline int64_t gemm_panels(int64_t n)
{
    return (n + GEMM_NR - 1) / GEMM_NR;
}

#endif
