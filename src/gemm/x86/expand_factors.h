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

/* The most columns of a register tile of few rows. */
enum { EXPAND_FACTORS = 4 * GEMM_NR };

/* For the columns of such a tile: w = fma(u, second, u * first), where u = q + offset; the offset may be zero. */
struct expand_factors {
    float offset[EXPAND_FACTORS], first[EXPAND_FACTORS], second[EXPAND_FACTORS];
};

/*
 * The factors of `count` columns from `column` on of a quick run, for u that has been multiplied by `prescaled`, a
 * power of two.
 */
void expand_factors_find(float prescaled, int32_t x_dtype, const struct expand_run *run, int column, int count,
                         struct expand_factors *factors);

#endif
