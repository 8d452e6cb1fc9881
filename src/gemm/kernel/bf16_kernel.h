/* SPDX-License-Identifier: MIT */
/*
 * bf16_kernel.h - the contract of the kernels that multiply bf16 with bf16 by instructions that take two rows of k at
 * once. They keep the chain of float_kernel.h: the product of the upper halves is added first, then that of the lower
 * halves, each step rounded to nearest. But they may treat subnormal numbers as zeros: operands, sums and results
 * alike. So they are used only where no subnormal number can occur; docs/numerics.md proves that from the smallest
 * numbers on both sides (bf16_exact).
 */
#ifndef MMARN_GEMM_KERNEL_BF16_KERNEL_H
#define MMARN_GEMM_KERNEL_BF16_KERNEL_H

#include <stdbool.h>

#include "gemm/kernel/factors.h"
#include "gemm/kernel/panels.h"

/*
 * C[m][n] (+)= A[m][k] @ B[k][n]. Both sides are pairs of bf16, each a word whose upper half comes first down k, and
 * whose lower half is zero after the last row of an odd k; k, lda and panel_stride count pairs. B lies in the panels of
 * panels.h. C as in struct float_block; without `first` it holds results of the chain: no negative zeros, and no number
 * that is not on the grid of docs/numerics.md. factors: as in struct float_block; C may then hold any number.
 */
struct bf16_block {
    const uint32_t *a;
    ptrdiff_t lda;
    const uint32_t *b;
    ptrdiff_t panel_stride;
    float *c;
    ptrdiff_t ldc;
    int m, n, k;
    const struct gemm_factors *factors;
    bool first;
};
typedef void bf16_block_fn(const struct bf16_block *block);

/* The exponent field of the smallest of these numbers that is not zero: 0 if it is subnormal, 512 if all are zeros. */
typedef unsigned bf16_min_exponent_fn(const uint32_t *pairs, ptrdiff_t count);

/* Makes pairs of k rows of one panel of fp32 numbers, all of which are bf16 values. */
typedef void bf16_pair_fn(const float *rows, int k, uint32_t *pairs);

/*
 * A BF16 line of kernels.inc. There is no plain block: without such instructions fp32 is faster, so if no line has a
 * block, float kernels do the work. The plain min_exponent and pair serve lines that have none.
 */
struct bf16_kernel {
    const char *name;
    unsigned needs; /* CPU features */
    bf16_block_fn *block;
    bf16_min_exponent_fn *min_exponent;
    bf16_pair_fn *pair;
};

/*
 * Can all numbers of two sides be multiplied and added in any way without a subnormal result? Their products are
 * multiples of 2^(a + b - 268), where a and b are the smallest exponent fields of the sides, and 2^-126 is the smallest
 * normal number.
 */
static inline bool bf16_exact(unsigned a, unsigned b)
{
    return a > 0 && b > 0 && a + b >= 142;
}

#endif
