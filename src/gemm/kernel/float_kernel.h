/* SPDX-License-Identifier: MIT */
/*
 * float_kernel.h - the contract of the kernels that multiply fp32 rows of x1 with float weights.
 *
 * The order of summation is part of it. A chain is a sum by fused multiply-adds over k in ascending order, starting
 * from zero (acc = fmaf(a[k], b[k], acc)). Every element of C is one chain. For f16 and f32 weights each GEMM_CHAIN
 * rows of k have a chain of their own, and C is the sum of the chains, added one after another. This holds whatever the
 * layout, kernel, tile or number of rows, so results do not depend on any of them, and every kernel gives the bits of
 * ref/float_ref.c.
 */
#ifndef MMARN_GEMM_KERNEL_FLOAT_KERNEL_H
#define MMARN_GEMM_KERNEL_FLOAT_KERNEL_H

#include <stdbool.h>

#include "gemm/kernel/factors.h"
#include "gemm/kernel/panels.h"
#include "gemm/kernel/tiling.h"

/* Rows of k in one chain of f16 and f32; docs/numerics.md gives the reason. */
enum { GEMM_CHAIN = 512 };

/*
 * C[m][n] (+)= A[m][k] @ B[k][n] for one block. A is fp32, row i at a + i * lda. B is of the entry's dtype: element (p,
 * j) at b[(j / GEMM_NR) * panel_stride + p * k_stride + j % GEMM_NR], so a packed matrix (k_stride GEMM_NR) and a
 * row-major one (k_stride its row length, panel_stride GEMM_NR) are both read in place. paired: B lies in panels, where
 * bf16 has pairs of rows, and k_stride has no meaning. All GEMM_NR columns of the last panel must be readable; only n
 * are stored. C is fp32, row i at c + i * ldc. chain 0: the block is part of one chain, which continues from the value
 * of C. Otherwise each `chain` rows of the block form a chain, which is added to C (f16 and f32 only). first: C has no
 * value yet. The first chain starts from zero, and its result is stored as C's first value, even a negative zero.
 * factors (f32 only, and chain is 0): B holds integers, the block is one chain from zero, and C grows as factors.h
 * says; or NULL.
 */
struct float_block {
    const float *a;
    ptrdiff_t lda;
    const void *b;
    ptrdiff_t k_stride, panel_stride; /* in elements */
    float *c;
    ptrdiff_t ldc;
    int m, n, k;
    int chain;
    const struct gemm_factors *factors;
    bool first, paired;
};
typedef void float_block_fn(const struct float_block *block);

/* A FLOAT line of kernels.inc. */
struct float_kernel {
    const char *name;
    unsigned needs;                     /* CPU features */
    float_block_fn *block[DTYPE_COUNT]; /* by x2's dtype, floats; NULL: the line before it, and plain C at the end */
    const struct gemm_tiling *tiling;   /* block sizes that suit it, or NULL for those of the line before it */
};

#endif
