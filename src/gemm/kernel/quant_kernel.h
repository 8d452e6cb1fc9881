/* SPDX-License-Identifier: MIT */
/*
 * quant_kernel.h - the contract of the kernels that multiply floats with int8 or int4 weights, which lie in panels.
 * Weights stay integers: they are widened in registers during the multiplication, or beforehand into memory.
 */
#ifndef MMARN_GEMM_KERNEL_QUANT_KERNEL_H
#define MMARN_GEMM_KERNEL_QUANT_KERNEL_H

#include <stdbool.h>

#include "gemm/kernel/factors.h"
#include "gemm/kernel/panels.h"

/*
 * C[m][n] (+)= the run's contribution, as factors.h defines it; s is one chain over the k rows of the run (as in
 * float_kernel.h). A is fp32, row i at a + i * lda, or, for few_pairs, pairs of bf16 as in struct bf16_block, of which
 * lda counts pairs. b is n columns: ceil(n / GEMM_NR) panels. C is fp32, row i at c + i * ldc. first: C has no value
 * yet.
 */
struct quant_block {
    const void *a;
    ptrdiff_t lda;
    const void *b;
    ptrdiff_t panel_stride; /* in elements */
    struct gemm_factors factors;
    float *c;
    ptrdiff_t ldc;
    ptrdiff_t ahead; /* bytes from any place in b to one that will be read soon, to be prefetched; or 0 */
    int m, n, k;
    bool first;
};
typedef void quant_block_fn(const struct quant_block *block);

/* Writes the integers of k rows and n columns, as fp32, to panels that are dst_stride elements apart. */
typedef void quant_widen_fn(const void *b, ptrdiff_t panel_stride, int k, int n, float *dst, ptrdiff_t dst_stride);

/*
 * A QUANT line of kernels.inc, by x2's dtype; NULL: the line before it, and plain C at the end. few_pairs has no plain
 * form: it is used only where it gives the same bits as few (bf16_kernel.h), and is NULL if nothing is faster than few.
 */
struct quant_kernel {
    const char *name;
    unsigned needs; /* CPU features */
    quant_block_fn *few[DTYPE_COUNT], *few_pairs[DTYPE_COUNT];
    quant_widen_fn *widen[DTYPE_COUNT];
};

#endif
