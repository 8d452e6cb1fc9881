/* SPDX-License-Identifier: MIT */
/* factors_x86.h - what the factors of kernel/factors.h make of a register of sums, for kernels on x86-64. */
#ifndef MMARN_GEMM_X86_FACTORS_X86_H
#define MMARN_GEMM_X86_FACTORS_X86_H

#include <immintrin.h>

#include "base/compiler.h"
#include "gemm/kernel/factors.h"

/* C of row `row` and 8 columns from `column` on, from its value before. */
ALWAYS_INLINE __m256 factors_apply_256(const struct gemm_factors *f, int row, int column, __m256 sum, __m256 c)
{
    if (f->offset)
        sum = _mm256_fmadd_ps(_mm256_loadu_ps(f->offset + column), _mm256_broadcast_ss(f->sums + row), sum);
    return _mm256_fmadd_ps(_mm256_loadu_ps(f->scale + column), sum, c);
}

#ifdef __AVX512F__
/* The same for 16 columns. */
ALWAYS_INLINE __m512 factors_apply_512(const struct gemm_factors *f, int row, int column, __m512 sum, __m512 c)
{
    if (f->offset)
        sum = _mm512_fmadd_ps(_mm512_loadu_ps(f->offset + column), _mm512_set1_ps(f->sums[row]), sum);
    return _mm512_fmadd_ps(_mm512_loadu_ps(f->scale + column), sum, c);
}
#endif

#endif
