/* SPDX-License-Identifier: MIT */
/*
 * panels.h - the layout of packed weights, which all kernels share: ceil(n / GEMM_NR) panels of GEMM_NR columns, each
 * contiguous, k rows one after another, with zeros in the columns from n on. What a row looks like depends on the type:
 *   f16, f32, int8   GEMM_NR elements.
 *   int4             two rows in 16 bytes: byte 16 q + j holds column j, of row 2 q in its lower four bits and of row
 *                    2 q + 1 in its upper ones, which are zeros after the last row of an odd k.
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

/* Elements from one panel of k rows to the next. An even row p begins at element p * GEMM_NR, whatever the type. */
static inline ptrdiff_t gemm_panel(int32_t dtype, int64_t k)
{
    return (ptrdiff_t)(GEMM_NR * (dtype == MMARN_I4 || dtype == MMARN_BF16 ? k + k % 2 : k));
}

/* How many panels n columns take, the last one perhaps in part. */
static inline int64_t gemm_panels(int64_t n)
{
    return (n + GEMM_NR - 1) / GEMM_NR;
}

#endif
