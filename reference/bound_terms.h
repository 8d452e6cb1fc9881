/* SPDX-License-Identifier: MIT */
/* bound_terms.h - what the files that compute bound_partials...() share. */
#ifndef MMARN_REFERENCE_BOUND_TERMS_H
#define MMARN_REFERENCE_BOUND_TERMS_H

#include "reference/bound.h"

/* The problem's rows of x1, (count, k) in double, to be freed; NULL when memory is short. dtype is that of x1. */
double *bound_rows_of(const struct bound_problem *problem, int32_t dtype, int64_t k, const void *x1);

/* Adds the bias (n, of problem->dtype), which may be NULL, to all terms. */
void bound_add_bias(const struct bound_problem *problem, const void *bias, struct bound_term *terms);

#endif
