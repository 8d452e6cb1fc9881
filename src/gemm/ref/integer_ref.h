/* SPDX-License-Identifier: MIT */
/* integer_ref.h - one integer of packed int8 or int4 weights, for the plain C kernels. */
#ifndef MMARN_GEMM_REF_INTEGER_REF_H
#define MMARN_GEMM_REF_INTEGER_REF_H

#include <string.h>

#include "gemm/kernel/panels.h"

/* Row p and column j of the panel at b. */
static inline int integer_at(int32_t dtype, const void *b, int p, int j)
{
    const char *panel = b;
    uint32_t word;
    if (dtype == MMARN_I8)
        return (signed char)panel[p * GEMM_NR + j];
    memcpy(&word, panel + (p / GEMM_I4_ROWS * GEMM_NR + j) * (ptrdiff_t)sizeof word, sizeof word);
    return (int)((word >> gemm_i4_shift(p) & 15) ^ 8) - 8;
}

#endif
