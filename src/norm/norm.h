/* SPDX-License-Identifier: MIT */
/*
 * norm.h - residual and RMSNorm, row by row. It does not know about ranks. docs/numerics.md defines the roundings.
 *
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
 * A kernel's dtype is that of mm_out and norm_out. residual and y also have it, or fp32 if wide.
 *
 * y = round(mm + residual), count elements; the addition is done in fp32. y may be residual.
 */
typedef void norm_add_fn(const void *mm, const void *residual, void *y, size_t count);

/* The same with mm = left + right in fp32, rounded to the dtype if round_mm. right may be NULL: then mm = left. */
typedef void norm_add_sum_fn(const float *left, const float *right, bool round_mm, const void *residual, void *y,
                             size_t count);

/*
 * norm_out = y * rstd * gamma over one row of n, rstd = 1 / sqrt(sum(y * y) / n + epsilon), with exact division and
 * square root. round_twice: y * rstd is rounded to y's type before it is multiplied by gamma. In both cases the product
 * is fp32 and is rounded to the dtype. rescale: if the sum of squares of a row is infinite, it is computed again with y
 * and sqrt(epsilon) times NORM_DOWN, which does not change the quotient. norm_out may be y if they have the same type.
 */
struct norm_row {
    const void *y, *gamma;
    void *norm_out;
    size_t n;
    float epsilon;
    bool wide_y, wide_gamma; /* fp32 */
    bool round_twice, rescale;
    float *rstd; /* receives it, unless NULL */
};
typedef void norm_row_fn(const struct norm_row *row);

/*
 * Quantises a row of n to int8: out[i] = round(row[i] / scale), to nearest even, where the returned scale is the
 * largest |row[i]| / 127. It is computed as row[i] * up * (127 / (largest * up)), where up is NORM_UP if largest is
 * below 1 / NORM_UP, else 1. If largest is infinite, or the row has a NaN, which counts as larger still, every out[i]
 * is zero and the scale is largest / 127. A row of zeros gives zeros and scale 0.
 */
typedef float norm_quantise_fn(const void *row, signed char *out, size_t n);
#define NORM_UP 0x1p100F

struct norm_factors {
    float scale, up, factor; /* factor is 0 if every element becomes 0 */
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

/* With it a sum of squares of up to 2^31 numbers is finite, and loses no number that matters. */
#define NORM_DOWN 0x1p-80F

/*
 * One line of norm_kernels.inc. Tables are indexed by dtype, those of sums also by wide. An entry may be NULL: then the
 * line before it serves, or at last plain C.
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
