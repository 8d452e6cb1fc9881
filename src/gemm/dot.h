/*
 * dot.h - bf16 x bf16 by instructions that take two rows of k at once. They keep the chain of gemm.h: the product of
 * the upper halves is added first, then that of the lower ones, each step rounded to nearest. But they take subnormal
 * numbers for zeros, operands, sums and results alike. So they may be used where there are none, which docs/numerics.md
 * proves from the smallest numbers on both sides: dot_exact.
 */
#ifndef MMARN_GEMM_DOT_H
#define MMARN_GEMM_DOT_H

#include "gemm/gemm.h"

/*
 * C[m][n] (+)= A[m][k] @ B[k][n]. Both sides are pairs of bf16, each a word whose upper half comes first down k, and
 * whose lower half is zero after the last row of an odd k; k, lda and panel_stride count pairs. B lies in the panels of
 * gemm_pack_fn. C as in struct gemm_block; without `first` it holds what the chain leaves: no negative zeros, and no
 * number that is off the grid of docs/numerics.md.
 */
struct dot_block {
    const uint32_t *a;
    ptrdiff_t lda;
    const uint32_t *b;
    ptrdiff_t panel_stride;
    float *c;
    ptrdiff_t ldc;
    int m, n, k;
    bool first;
};
typedef void dot_block_fn(const struct dot_block *block);

/* The exponent field of the smallest of these numbers that is not zero: 0 if it is subnormal, 512 if all are zeros. */
typedef unsigned dot_lowest_fn(const uint32_t *pairs, ptrdiff_t count);

/* Makes pairs of k rows of one panel of fp32 numbers, which are bf16 ones widened. */
typedef void dot_pair_fn(const float *rows, int k, uint32_t *pairs);

/* One line of dot_kernels.inc. */
struct dot_kernel {
    const char *name;
    unsigned needs; /* CPU features */
    dot_block_fn *block;
    dot_lowest_fn *lowest;
    dot_pair_fn *pair;
};

/*
 * All kernels compiled in, best last, ending with NULL. There is no plain one: a processor without such instructions is
 * quicker by fp32.
 */
extern const struct dot_kernel *const dot_kernels[];

/* The best kernel that cpu_features allows, or NULL. */
const struct dot_kernel *dot_kernel_best(void);

/*
 * May all numbers of two sides be multiplied and added in any way without a subnormal number? Their products are
 * multiples of 2^(a + b - 268), a and b being the sides' lowest exponent fields, and 2^-126 is the smallest normal one.
 */
static inline bool dot_exact(unsigned a, unsigned b)
{
    return a > 0 && b > 0 && a + b >= 142;
}

#endif
