/* SPDX-License-Identifier: MIT */
/*
 * expand_factors.h - prepares the scales and offsets of a run for expansion by two multiplications, for the kernels
 * that expand weights on x86-64.
 */
#ifndef MMARN_GEMM_X86_EXPAND_FACTORS_H
#define MMARN_GEMM_X86_EXPAND_FACTORS_H

#include "gemm/kernel/expand_kernel.h"

/* Do the run's scales and offsets allow the fast method of rounding? */
bool expand_is_quick(int32_t x_dtype, const struct expand_run *run);

/* For the columns of a panel: w = fma(u, second, u * first), where u = q + offset; the offset may be zero. */
struct expand_factors {
    float offset[GEMM_NR], first[GEMM_NR], second[GEMM_NR];
};

/* The factors of the panel at `column` of a quick run. */
void expand_factors_find(int32_t x_dtype, const struct expand_run *run, int column, struct expand_factors *factors);

#endif
