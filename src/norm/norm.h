/*
 * norm.h - residual and RMSNorm, row by row. Knows nothing of ranks. docs/numerics.md has the roundings.
 * The sum of squares has one shape on every processor: lane l of NORM_LANES adds y[i] * y[i] for i = l, l + NORM_LANES,
 * ... with fused multiply-adds, then lanes are folded in halves (l += l + 16, 8, 4, 2, 1). Every kernel gives the bits
 * of norm_ref.c.
 */
#ifndef MMARN_NORM_NORM_H
#define MMARN_NORM_NORM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/dtype.h"

enum { NORM_LANES = 32 };

/*
 * The dtype of a kernel is that of mm_out and norm_out. residual and y are of it too, or fp32 when wide.
 *
 * y = round(mm + residual), count elements; the addition is done in fp32. y may be residual.
 */
typedef void norm_add_fn(const void *mm, const void *residual, void *y, size_t count);

/* The same with mm = left + right in fp32, rounded to the dtype when round_mm; right may be NULL, for nothing. */
typedef void norm_add_sum_fn(const float *left, const float *right, bool round_mm, const void *residual, void *y,
                             size_t count);

/*
 * norm_out = y * rstd * gamma over one row of n, rstd = 1 / sqrt(sum(y * y) / n + epsilon), with exact division and
 * square root. round_twice: y * rstd is rounded to y's type before it is multiplied by gamma; the product is fp32 and
 * rounded to the dtype either way. With rescale, a row whose sum of squares is infinite is taken again with y and
 * sqrt(epsilon) times NORM_DOWN, which leaves the quotient as it is.
 */
struct norm_row {
    const void *y, *gamma;
    void *norm_out;
    size_t n;
    float epsilon;
    bool wide_y, wide_gamma; /* fp32 */
    bool round_twice, rescale;
};
typedef void norm_row_fn(const struct norm_row *row);

/* A finite sum of squares of up to 2^31 numbers after it, and none that matters is lost. */
#define NORM_DOWN 0x1p-80F

/* One line of norm_kernels.inc. Tables are indexed by dtype, those of sums also by wide. */
struct norm_kernel {
    const char *name;
    unsigned needs; /* CPU features */
    norm_add_fn *add[DTYPE_COUNT][2];
    norm_add_sum_fn *add_sum[DTYPE_COUNT][2];
    norm_row_fn *row[DTYPE_COUNT];
};

/* All kernels compiled in, best last, ending with NULL; entry 0 is the plain C definition. */
extern const struct norm_kernel *const norm_kernels[];

/* The best kernel that cpu_features allows; chosen once. */
const struct norm_kernel *norm_kernel_best(void);

#endif
