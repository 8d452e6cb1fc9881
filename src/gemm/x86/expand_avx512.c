/* SPDX-License-Identifier: MIT */
/*
 * expand_avx512.c - expands int8 and int4 panels with AVX-512, a row of a panel at a time, like expand_avx2.c: rounds
 * as defined in expand_kernel.h, for any numbers, and is faster if the numbers allow the fast method.
 */
#include "gemm/x86/expand_factors.h"

#include "base/x86/avx512.h"
#include "gemm/x86/integers_x86.h"

/* The values of a panel's columns. */
struct columns {
    __m512 scale, offset, first, second;
};

ALWAYS_INLINE struct columns load_columns(int32_t x_dtype, const struct expand_run *run, int column)
{
    struct expand_factors factors;
    expand_factors_find(x_dtype, run, column, &factors);
    return (struct columns){_mm512_loadu_ps(run->scale + column), _mm512_loadu_ps(factors.offset),
                            _mm512_loadu_ps(factors.first), _mm512_loadu_ps(factors.second)};
}

/* Row p of a group of rows; `last` says that p is not a constant. */
ALWAYS_INLINE void expand_row(int32_t dtype, int32_t x_dtype, const struct columns *columns, const char *line, int p,
                              int last, float *dst, bool has_offset, bool quick)
{
    __m512 u = integers_load_512(dtype, line, p, last), w;
    if (has_offset)
        u = _mm512_add_ps(u, columns->offset);
    if (has_offset && x_dtype == MMARN_F16 && !quick)
        u = avx512_round(MMARN_F16, u);
    if (quick)
        w = _mm512_fmadd_ps(u, columns->second, _mm512_mul_ps(u, columns->first));
    else
        w = avx512_round(x_dtype, _mm512_mul_ps(u, columns->scale));
    _mm512_storeu_ps(dst, w);
}

#include "gemm/x86/expand_table.h"

const struct expand_kernel expand_avx512 = EXPAND_TABLE("avx512", CPU_AVX512);
