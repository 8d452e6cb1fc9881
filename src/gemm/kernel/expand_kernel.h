/* SPDX-License-Identifier: MIT */
/*
 * expand_kernel.h - the contract of the kernels for int8 and int4 weights that stand for floats. Weights are expanded
 * to x1's type, either into memory, or in registers during the multiplication. They always lie in panels.
 */
#ifndef MMARN_GEMM_KERNEL_EXPAND_KERNEL_H
#define MMARN_GEMM_KERNEL_EXPAND_KERNEL_H

#include <stdbool.h>

#include "gemm/kernel/panels.h"

/*
 * k rows of packed weights that share a scale, q, standing for w = (q + offset) * scale: in fp32, rounded to f16 after
 * each of the two steps when x1 is f16, to bf16 after the second when it is bf16. scale and offset (NULL for none) have
 * a value for each column of every panel, including the last. A run of int4 begins at an even row of its panels, and
 * its k is odd only when its last row is the last of the panels: so pairs of rows are never split.
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

/*
 * C[m][n] (+)= A[m][k] @ w, the chain of float_kernel.h, without a copy of w. A and C as in struct float_block; A holds
 * values of x1's type, and C on entry holds results of such chains (no negative zero for f16). False: the kernel has no
 * fast method for these scales and offsets, and has done nothing; the caller then expands the weights.
 */
struct expand_few {
    struct expand_run run;
    const float *a;
    ptrdiff_t lda;
    float *c;
    ptrdiff_t ldc;
    ptrdiff_t ahead; /* bytes from any place in run.b to one that will be read soon, to be prefetched; or 0 */
    int m;
    bool first;
};
typedef bool expand_few_fn(const struct expand_few *block);

/* An EXPAND line of kernels.inc. By the dtypes of x2 and x1; NULL: the line before it, and plain C at the end. */
struct expand_kernel {
    const char *name;
    unsigned needs; /* CPU features */
    expand_fn *expand[DTYPE_COUNT][DTYPE_COUNT];
    expand_few_fn *few[DTYPE_COUNT][DTYPE_COUNT];
};

#endif
