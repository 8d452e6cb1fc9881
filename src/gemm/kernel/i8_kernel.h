/* SPDX-License-Identifier: MIT */
/* i8_kernel.h - the contract of the kernels that multiply int8 with int8. Sums are int32, exact modulo 2^32. */
#ifndef MMARN_GEMM_KERNEL_I8_KERNEL_H
#define MMARN_GEMM_KERNEL_I8_KERNEL_H

#include <stdbool.h>

#include "gemm/kernel/panels.h"

/* The form in which a kernel reads int8 rows of x1. */
enum i8_x1 { I8_X1_AS_IT_IS, I8_X1_WIDENED /* to int16 */ };

/*
 * C[m][n] (+)= A[m][k] @ B[k][n], modulo 2^32. A is int8 in the kernel's form x1, row i at a + i * lda. B is int8, with
 * strides and everything else as in struct float_block. interleaved: B lies in panels after the kernel's interleave,
 * and k_stride has no meaning.
 */
struct i8_block {
    const void *a;
    ptrdiff_t lda; /* in elements */
    const int8_t *b;
    ptrdiff_t k_stride, panel_stride;
    int32_t *c;
    ptrdiff_t ldc;
    int m, n, k;
    bool first, interleaved;
};
typedef void i8_block_fn(const struct i8_block *block);

/*
 * Converts the k rows of one packed panel, in place, to the form that the kernel's blocks read: rows whose products one
 * instruction adds are interleaved. Groups of I8_GROUP rows, counted from the first, stay separate. So a panel may be
 * interleaved in runs of whole groups, and a block may begin with any group.
 */
typedef void i8_interleave_fn(int8_t *panel, int k);
enum { I8_GROUP = 4 };

/* An I8 line of kernels.inc. A line without a block does not count. */
struct i8_kernel {
    const char *name;
    unsigned needs; /* CPU features */
    i8_block_fn *block;
    enum i8_x1 x1;                /* the form of A that block reads */
    i8_interleave_fn *interleave; /* the form of B in panels; NULL: as they were packed */
};

#endif
