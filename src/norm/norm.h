/* SPDX-License-Identifier: MIT */
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
#include <stdint.h>
#include <string.h>

#include "base/dtype.h"

enum { NORM_LANES = 32, NORM_INFINITY_BITS = 0x7F800000 };

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
 * sqrt(epsilon) times NORM_DOWN, which leaves the quotient as it is. norm_out may be y where they are of one type.
 */
struct norm_row {
    const void *y, *gamma;
    void *norm_out;
    size_t n;
    float epsilon;
    bool wide_y, wide_gamma; /* fp32 */
    bool round_twice, rescale;
    float *rstd; /* NULL, or receives it */
};
typedef void norm_row_fn(const struct norm_row *row);

/*
 * A row of n in int8: out[i] = round(row[i] / scale), to nearest even, where scale, which is returned, is the largest
 * |row[i]| / 127. It is computed as row[i] * up * (127 / (largest * up)), up being NORM_UP for a largest below
 * 1 / NORM_UP and 1 else. A row whose largest is infinite, or that has a NaN, which counts as larger still, gives zeros
 * and that over 127; a row of zeros gives zeros and 0.
 */
typedef float norm_quantise_fn(const void *row, signed char *out, size_t n);
#define NORM_UP 0x1p100F

struct norm_factors {
    float scale, up, factor; /* factor is 0 where every element becomes 0 */
};

/* largest_bits: of the largest |row[i]|, as an integer, which orders NaN above infinity. */
static inline struct norm_factors norm_factors_of(uint32_t largest_bits)
{
    float largest;
    memcpy(&largest, &largest_bits, sizeof largest);
    struct norm_factors factors = {largest / 127, largest < 1 / NORM_UP ? NORM_UP : 1, 0};
    if (largest > 0 && largest_bits < NORM_INFINITY_BITS)
        factors.factor = 127 / (largest * factors.up);
    return factors;
}

/* A finite sum of squares of up to 2^31 numbers after it, and none that matters is lost. */
#define NORM_DOWN 0x1p-80F

/*
 * One line of norm_kernels.inc. Tables are indexed by dtype, those of sums also by wide. An entry may be NULL: the line
 * before it serves, and plain C at the end.
 */
struct norm_kernel {
    const char *name;
    unsigned needs; /* CPU features */
    norm_add_fn *add[DTYPE_COUNT][2];
    norm_add_sum_fn *add_sum[DTYPE_COUNT][2];
    norm_row_fn *row[DTYPE_COUNT];
    norm_quantise_fn *quantise[DTYPE_COUNT];
};

/* All kernels compiled in, best last, ending with NULL; entry 0 is the plain C definition. */
extern const struct norm_kernel *const norm_kernels[];

/* The entries that serve on this processor; chosen once. Its name is that of the last line that counts. */
const struct norm_kernel *norm_kernel_best(void);

#endif
