/* SPDX-License-Identifier: MIT */
/*
 * bound.h - how far y and norm_out may be from the exact result, element by element, derived in docs/numerics.md.
 * The reference is computed in fp64 from the operator's inputs; the bound follows from where the numerics mode rounds,
 * with u = 2^-24 and a statistical factor lambda = 8 on sums of many roundings.
 *
 * Made for ranks in several processes: every rank adds its own exact partial sums for the rows of interest to memory
 * that all share (bound_partials...); when all have done so, each compares its own outputs (bound_compare).
 */
#ifndef MMARN_REFERENCE_BOUND_H
#define MMARN_REFERENCE_BOUND_H

#include <stdbool.h>
#include <stdint.h>

#include "mmarn/mmarn.h"
#include "reference/quantised.h"

/* What becomes of mm_out: the whole operator; the same with 1 + gamma; the norm first; nothing but its rounding. */
enum bound_form { BOUND_WHOLE, BOUND_PLUS_ONE, BOUND_NORM_FIRST, BOUND_SUM };

/* What is checked: `count` rows of the operator's `n` columns. */
struct bound_problem {
    int32_t dtype;    /* of residual, gamma, y and norm_out */
    int32_t numerics; /* mmarn_numerics */
    int world_size;
    int64_t n;
    double epsilon;
    int64_t count;
    const int64_t *rows; /* their numbers in x1, residual, y and norm_out */
    enum bound_form form;
};

/* One element of one rank's contribution. */
struct bound_term {
    double part; /* exact */
    double var;  /* variance of its fp32 roundings, in units of u^2 */
};

/*
 * One rank's contribution (with its bias, when it has one) to terms[count][n]. x1 is (any rows, k), x2 is (k, n), or
 * (n, k) when trans_x2. False when memory is short.
 */
bool bound_partials(const struct bound_problem *problem, int64_t k, const void *x1, const void *x2, bool trans_x2,
                    const void *bias, struct bound_term *terms);

/*
 * The same with quantised weights, as problem->numerics has them; x1 and bias are of problem->dtype, which is
 * weights->dtype.
 */
bool bound_partials_quantised(const struct bound_problem *problem, const struct quantised_weights *weights,
                              const void *x1, const void *bias, struct bound_term *terms);

/*
 * The same for weights that are rounded to weights->dtype (numerics ASCEND). Exact are the sums over the rounded
 * weights: their rounding is part of what the operator computes. Were it granted as an error, it would hide others
 * where a partial is small.
 */
bool bound_partials_expanded(const struct bound_problem *problem, const struct quantised_weights *weights,
                             const void *x1, const void *bias, struct bound_term *terms);

/*
 * The same for int8 x int8. scales has n decoded values, row_scale is by row number of x1, or NULL; the sums are exact
 * modulo 2^32.
 */
bool bound_partials_int8(const struct bound_problem *problem, int64_t k, const int8_t *x1, const int8_t *x2,
                         bool trans_x2, const int32_t *bias, const float *scales, const float *row_scale,
                         struct bound_term *terms);

/* The largest error / bound of any element. */
struct bound_result {
    double y, norm;
    bool ok; /* every value is finite and within its bound */
};

/*
 * Compares one rank's outputs. terms is [world_size][count][n]. The tensors are whole ones of which only problem->rows
 * are read. residual may be NULL: there is none. With norm_scale, one for each row, norm_out is int8. In BOUND_SUM y is
 * mm_out, and the others are not read. False when memory is short.
 */
struct bound_outputs {
    const void *residual, *gamma, *y, *norm_out;
    const float *norm_scale;
};
bool bound_compare(const struct bound_problem *problem, const struct bound_term *terms,
                   const struct bound_outputs *outputs, struct bound_result *result);

#endif
