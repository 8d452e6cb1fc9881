/* SPDX-License-Identifier: MIT */
/* factors.c - scales and offsets reach to the end of the last panel, where guard pages are. */
#include "factors.h"

#include <math.h>

#include "gemm/kernel/panels.h"

enum { MOST_ROWS = 96 };

struct gemm_factors factors_make(enum data scales, enum data offsets, enum data sums, int m, int n)
{
    static float of_rows[MOST_ROWS];
    const size_t columns = (size_t)gemm_panels(n) * GEMM_NR;
    float *scale = guard_place(SLOT_SCALE, columns * sizeof *scale, random_bits() & 1);
    float *offset = guard_place(SLOT_OFFSET, columns * sizeof *offset, random_bits() & 1);
    data_fill(scales, MMARN_F32, scale, columns);
    data_fill(offsets, MMARN_F32, offset, columns);
    data_fill(sums, MMARN_F32, of_rows, (size_t)m);
    return (struct gemm_factors){.scale = scale, .offset = random_bits() & 1 ? offset : NULL, .sums = of_rows};
}

float factors_expect(const struct gemm_factors *f, int i, int j, float sum, float before)
{
    if (f->offset)
        sum = fmaf(f->offset[j], f->sums[i], sum);
    return fmaf(f->scale[j], sum, before);
}
