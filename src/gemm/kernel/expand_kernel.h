/* SPDX-License-Identifier: MIT */
/*
 * expand_kernel.h - the contract of the kernels that round int8 and int4 weights to x1's type, as CANN's operator does
 * (numerics ASCEND). Weights are expanded from panels into memory, and are then float weights.
 */
#ifndef MMARN_GEMM_KERNEL_EXPAND_KERNEL_H
#define MMARN_GEMM_KERNEL_EXPAND_KERNEL_H

#include <stdbool.h>

#include "gemm/kernel/panels.h"

/*
 * k rows of packed weights that share a scale, q, standing for w = (q + offset) * scale: in fp32, rounded to f16 after
 * each of the two steps when x1 is f16, to bf16 after the second when it is bf16. scale and offset (NULL for none) have
 * a value for each column of every panel, including the last. b begins with a group of rows (gemm_rows_together).
 */
struct expand_run {
    const void *b;          /* n columns: ceil(n / GEMM_NR) panels */
    ptrdiff_t panel_stride; /* in elements */
    const float *scale, *offset;
    int n, k;
};

/*
 * Writes w, in fp32, to panels that are panel_stride elements apart. The last panel may hold anything in columns from n
 * on. For f16 a zero may have either sign: no chain of float_kernel.h over f16 numbers depends on it.
 */
typedef void expand_fn(const struct expand_run *run, float *dst, ptrdiff_t panel_stride);

/* An EXPAND line of kernels.inc. By the dtypes of x2 and x1; NULL: the line before it, and plain C at the end. */
struct expand_kernel {
    const char *name;
    unsigned needs; /* CPU features */
    expand_fn *expand[DTYPE_COUNT][DTYPE_COUNT];
};

#endif
