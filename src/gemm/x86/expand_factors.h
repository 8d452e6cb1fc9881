/* SPDX-License-Identifier: MIT */
/*
 * expand_factors.h - scales and offsets of a run made ready for expansion by two multiplications, for the kernels that
 * expand weights on x86-64.
 */
#ifndef MMARN_GEMM_X86_EXPAND_FACTORS_H
#define MMARN_GEMM_X86_EXPAND_FACTORS_H

#include "gemm/kernel/expand_kernel.h"

/* Are the run's scales and offsets such that rounding has a quick way? */
bool expand_is_quick(int32_t x_dtype, const struct expand_run *run);

/* Most columns that a register tile of few rows has. */
enum { EXPAND_FACTORS = 4 * GEMM_NR };

/* Of the columns of such a tile: w = fma(u, second, u * first), where u = q + offset; the offset may be zero. */
struct expand_factors {
    float offset[EXPAND_FACTORS], first[EXPAND_FACTORS], second[EXPAND_FACTORS];
};

/* Those of `count` columns from `column` on of a quick run, for u that comes multiplied by `prescaled`, a power of two.
 */
void expand_factors_find(float prescaled, int32_t x_dtype, const struct expand_run *run, int column, int count,
                         struct expand_factors *factors);

#endif
