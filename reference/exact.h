/* SPDX-License-Identifier: MIT */
/*
 * exact.h - a model of the operator that rounds exactly where docs/numerics.md says, step by step, in plain C.
 * The library's outputs must have these bits, in every numerics mode, on every processor. The steps are apart, so that
 * a test can put together the operator or any of its parts. Nothing here is fast.
 */
#ifndef MMARN_REFERENCE_EXACT_H
#define MMARN_REFERENCE_EXACT_H

#include <stdbool.h>
#include <stdint.h>

#include "mmarn/mmarn.h"

/* Rows of k in one chain of multiply-adds: of float weights of a dtype; of weights expanded from integers. */
int64_t exact_chain(int32_t dtype);
enum { EXACT_CHAIN_EXPANDED = INT32_MAX };

/*
 * One rank's partial, fp32, (rows, n): x1 is (rows, k), x2 is (k, n), or (n, k) when trans_x2; bias is (n) or NULL; all
 * of one dtype, compact. False when memory is short.
 */
bool exact_partial(int32_t dtype, int64_t chain, int64_t rows, int64_t k, int64_t n, const void *x1, const void *x2,
                   bool trans_x2, const void *bias, float *partial);

/*
 * mm_out: the sum over ranks of count elements, rounded as the numerics mode says (not at all in MMARN_NUMERICS_FP32),
 * held in fp32.
 */
void exact_reduce(int32_t dtype, int32_t numerics, int world_size, int64_t count, const float *const partials[],
                  float *mm);

/* y = round(mm + residual), count elements of residual's and y's dtype; y may be residual. */
void exact_add(int32_t dtype, int64_t count, const float *mm, const void *residual, void *y);

/* 1 / sqrt(mean(y * y) + epsilon) over one row of n. */
float exact_rstd(int32_t dtype, int32_t numerics, int64_t n, const void *y, double epsilon);

/* norm_out from the rounded y, rows of n. */
struct exact_norm_dtypes {
    int32_t y, gamma, norm_out;
};
void exact_norm(struct exact_norm_dtypes dtypes, int32_t numerics, int64_t rows, int64_t n, const void *y,
                const void *gamma, double epsilon, void *norm_out);

#endif
