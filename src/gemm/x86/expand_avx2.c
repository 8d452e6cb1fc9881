/* SPDX-License-Identifier: MIT */
/*
 * expand_avx2.c - expands int8 and int4 panels with AVX2, 8 columns at a time; scale and offset stay in registers down
 * a panel. Rounds as defined in expand_kernel.h, for any numbers. If the numbers allow the fast method
 * (expand_factors_avx2.c), q + offset needs no rounding to f16, and q * scale is rounded by two multiplications.
 */
#include "gemm/x86/expand_factors.h"

#include "base/x86/avx2.h"
#include "gemm/x86/integers_x86.h"

enum { VECTOR = 8 };

/* The values of a panel's columns, 0 .. 7 and 8 .. 15. */
struct columns {
    __m256 scale[2], offset[2], first[2], second[2];
};

ALWAYS_INLINE struct columns load_columns(int32_t x_dtype, const struct expand_run *run, int column)
{
    struct expand_factors factors;
    struct columns columns;
    expand_factors_find(x_dtype, run, column, &factors);
    for (int high = 0; high < 2; high++) {
        columns.scale[high] = _mm256_loadu_ps(run->scale + column + high * VECTOR);
        columns.offset[high] = _mm256_loadu_ps(factors.offset + high * VECTOR);
        columns.first[high] = _mm256_loadu_ps(factors.first + high * VECTOR);
        columns.second[high] = _mm256_loadu_ps(factors.second + high * VECTOR);
    }
    return columns;
}

/* Row p of a group of rows; `last` says that p is not a constant. */
ALWAYS_INLINE void expand_row(int32_t dtype, int32_t x_dtype, const struct columns *columns, const char *line, int p,
                              int last, float *dst, bool has_offset, bool quick)
{
    (void)last;
#pragma GCC unroll 2
    for (int high = 0; high < 2; high++) {
        __m256 u = integers_load_256(dtype, line, p, high), w;
        if (has_offset)
            u = _mm256_add_ps(u, columns->offset[high]);
        if (has_offset && x_dtype == MMARN_F16 && !quick)
            u = avx2_round(MMARN_F16, u);
        if (quick)
            w = _mm256_fmadd_ps(u, columns->second[high], _mm256_mul_ps(u, columns->first[high]));
        else
            w = avx2_round(x_dtype, _mm256_mul_ps(u, columns->scale[high]));
        _mm256_storeu_ps(dst + high * VECTOR, w);
    }
}

#include "gemm/x86/expand_table.h"

const struct expand_kernel expand_avx2 = EXPAND_TABLE("avx2", CPU_AVX2);
