/*
 * bound.h - how far y and norm_out may be from the exact result, element by element, derived in docs/numerics.md.
 * The reference is computed in fp64 from the operator's inputs; the bound follows from where the numerics mode rounds,
 * with u = 2^-24 and a statistical factor lambda = 8 on sums of many roundings.
 *
 * Made for ranks in several processes: every rank adds its own exact partial sums for the rows of interest to memory
 * that all share (bound_partials); when all have done so, each compares its own outputs (bound_compare).
 */
#ifndef MMARN_REFERENCE_BOUND_H
#define MMARN_REFERENCE_BOUND_H

#include <stdbool.h>
#include <stdint.h>

#include "mmarn/mmarn.h"

/* What is checked: `count` rows of the operator's `n` columns. */
struct bound_problem {
    int32_t dtype;    /* mmarn_dtype */
    int32_t numerics; /* mmarn_numerics */
    int world_size;
    int64_t n;
    double epsilon;
    int64_t count;
    const int64_t *rows; /* their numbers in x1, residual, y and norm_out */
};

/*
 * One rank's contribution: its exact partials (with its bias, when it has one) to part[count][n] and their fp32
 * rounding variance, in units of u^2, to var[count][n]. x1 is (any rows, k), x2 is (k, n), or (n, k) when trans_x2.
 * False when memory is short.
 */
bool bound_partials(const struct bound_problem *problem, int64_t k, const void *x1, const void *x2, bool trans_x2,
                    const void *bias, double *part, double *var);

/*
 * Errors are shown in units of the output type's last place at the largest magnitude that took part in the element, so
 * that cancellation does not make a good result look bad.
 */
struct bound_error {
    double max_ulp;   /* largest error */
    double ratio;     /* largest error / bound */
    double bound_ulp; /* the bound where that was */
};
struct bound_result {
    struct bound_error y, norm;
    bool ok; /* every value is finite and within its bound */
};

/*
 * Compares one rank's outputs. part and var are [world_size][count][n]. residual, y and norm_out are whole tensors of
 * which only problem->rows are read. False when memory is short.
 */
bool bound_compare(const struct bound_problem *problem, const double *part, const double *var, const void *residual,
                   const void *gamma, const void *y, const void *norm_out, struct bound_result *result);

#endif
