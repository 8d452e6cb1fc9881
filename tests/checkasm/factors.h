/* SPDX-License-Identifier: MIT */
/* factors.h - random factors of integer weights for the tests of kernels that apply them, and the expected result. */
#ifndef CHECKASM_FACTORS_H
#define CHECKASM_FACTORS_H

#include "checkasm.h"
#include "gemm/kernel/factors.h"

/* The slots of guard_place that factors use. */
enum { SLOT_SCALE = 3, SLOT_OFFSET = 4 };

/* For m rows (at most 96) and the panels of n columns: three kinds of numbers; offsets in half of the cases. */
struct gemm_factors factors_make(enum data scales, enum data offsets, enum data sums, int m, int n);

/* What is stored for a sum in row i, column j; before is C's value, or 0. */
float factors_expect(const struct gemm_factors *f, int i, int j, float sum, float before);

#endif
