/*
 * quant.h - kernels for integer weights: int8 x int8 with exact int32 sums, and int8 or int4 weights that are expanded
 * to the type of x1. B always lies in the panels of gemm_pack_fn.
 */
#ifndef MMARN_GEMM_QUANT_H
#define MMARN_GEMM_QUANT_H

#include "gemm/gemm.h"

/*
 * C[m][n] (+)= A[m][k] @ B[k][n], modulo 2^32. A is int8 widened to int16, row i at a + i * lda; B is int8, strides and
 * everything else as in struct gemm_block. paired: B lies in panels after quant_i8_pair_fn, and k_stride says nothing.
 */
struct quant_i8_block {
    const int16_t *a;
    ptrdiff_t lda;
    const int8_t *b;
    ptrdiff_t k_stride, panel_stride;
    int32_t *c;
    ptrdiff_t ldc;
    int m, n, k;
    bool first, paired;
};
typedef void quant_i8_block_fn(const struct quant_i8_block *block);

/*
 * Interleaves the k rows of one packed panel two by two, in place: row 2 q, column j goes to byte 32 q + 2 j, and row
 * 2 q + 1 right behind it, so that one multiply-add instruction finds what it adds. The last row of an odd k stays.
 */
typedef void quant_i8_pair_fn(int8_t *panel, int k);

/*
 * k rows of packed weights that share a scale, q, standing for w = (q + offset) * scale: in fp32, rounded to f16 after
 * each of the two steps when x1 is f16, to bf16 after the second when it is bf16. scale and offset (NULL for none) have
 * a value for each column of every panel, also of the last one. A run begins at an even row of its panels, and k is odd
 * only when the last of their rows is its own: so int4's pairs of rows are never parted.
 */
struct quant_run {
    const void *b;          /* n columns: ceil(n / GEMM_NR) panels */
    ptrdiff_t panel_stride; /* in elements */
    const float *scale, *offset;
    int n, k;
};

/*
 * Writes w, in fp32, to panels that are panel_stride elements apart; in columns from n on of the last one, anything.
 * For f16 a zero may have either sign: no chain of gemm.h over f16 numbers shows it.
 */
typedef void quant_expand_fn(const struct quant_run *run, float *dst, ptrdiff_t panel_stride);

/*
 * C[m][n] (+)= A[m][k] @ w, the chain of gemm.h, with no copy of w. A and C as in struct gemm_block; A holds values of
 * x1's type, and C on entry what such chains leave (no negative zero for f16). False when the kernel has no quick way
 * for these scales and offsets: then nothing was done, and the caller goes by expansion.
 */
struct quant_block {
    struct quant_run run;
    const float *a;
    ptrdiff_t lda;
    float *c;
    ptrdiff_t ldc;
    ptrdiff_t ahead; /* bytes from any place in run.b to one that will be read soon, to be prefetched; or 0 */
    int m;
    bool first;
};
typedef bool quant_block_fn(const struct quant_block *block);

/* One line of quant_kernels.inc. */
struct quant_kernel {
    const char *name;
    unsigned needs; /* CPU features */
    quant_i8_block_fn *i8_block;
    quant_i8_pair_fn *i8_pair;
    quant_expand_fn *expand[DTYPE_COUNT][DTYPE_COUNT]; /* by the dtypes of x2 and x1 */
    quant_block_fn *block[DTYPE_COUNT][DTYPE_COUNT];
};

/* All kernels compiled in, best last, ending with NULL; entry 0 is the plain C definition. */
extern const struct quant_kernel *const quant_kernels[];

/* The best kernel that cpu_features allows; chosen once. */
const struct quant_kernel *quant_kernel_best(void);

#endif
