/*
 * quant.h - kernels for integer weights: int8 x int8 with exact int32 sums, and int8 or int4 weights that are expanded
 * to the type of x1. B always lies in the panels of gemm_pack_fn.
 */
#ifndef MMARN_GEMM_QUANT_H
#define MMARN_GEMM_QUANT_H

#include "gemm/gemm.h"

/*
 * C[m][n] (+)= A[m][k] @ B[k][n], modulo 2^32. A and B are int8, A widened to int16 where the kernel's i8_wide says so,
 * row i at a + i * lda; B's strides and everything else as in struct gemm_block. interleaved: B lies in panels after
 * the kernel's i8_interleave, and k_stride says nothing.
 */
struct quant_i8_block {
    const void *a;
    ptrdiff_t lda; /* in elements */
    const int8_t *b;
    ptrdiff_t k_stride, panel_stride;
    int32_t *c;
    ptrdiff_t ldc;
    int m, n, k;
    bool first, interleaved;
};
typedef void quant_i8_block_fn(const struct quant_i8_block *block);

/*
 * Puts the k rows of one packed panel into the form that the kernel's blocks read, in place: rows whose products one
 * instruction adds are interleaved. Groups of QUANT_I8_ROWS rows, counted from the first, stay apart: so a panel may be
 * interleaved in runs of whole groups, and a block may begin with any group.
 */
typedef void quant_i8_interleave_fn(int8_t *panel, int k);
enum { QUANT_I8_ROWS = 4 };

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
    /* The forms of B and A that i8_block reads: panels that this has put in order (NULL: as they are), int16 or int8.
     */
    quant_i8_interleave_fn *i8_interleave;
    bool i8_wide;
    quant_expand_fn *expand[DTYPE_COUNT][DTYPE_COUNT]; /* by the dtypes of x2 and x1 */
    quant_block_fn *block[DTYPE_COUNT][DTYPE_COUNT];
};

/* All kernels compiled in, best last, ending with NULL; entry 0 is the plain C definition. */
extern const struct quant_kernel *const quant_kernels[];

/* The best kernel that cpu_features allows; chosen once. */
const struct quant_kernel *quant_kernel_best(void);

#endif
