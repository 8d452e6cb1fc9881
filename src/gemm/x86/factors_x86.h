/* SPDX-License-Identifier: MIT */
/*
 * factors_x86.h - what the factors of kernel/factors.h make of the sums of a register tile, for kernels on x86-64. The
 * tile begins at `row` and `column` of its block, and c points at its first element.
 */
#ifndef MMARN_GEMM_X86_FACTORS_X86_H
#define MMARN_GEMM_X86_FACTORS_X86_H

#include <immintrin.h>

#include "base/compiler.h"
#include "gemm/kernel/factors.h"

/* sum: `across` registers for each row, of 8 columns each. first: C has no value yet. */
ALWAYS_INLINE void factors_apply_256(const struct gemm_factors *f, int row, int column, const float *c, ptrdiff_t ldc,
                                     bool first, __m256 *sum, int rows, int across)
{
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < across; v++) {
            __m256 s = sum[i * across + v];
            if (f->offset)
                s = _mm256_fmadd_ps(_mm256_loadu_ps(f->offset + column + v * 8), _mm256_broadcast_ss(f->sums + row + i),
                                    s);
            const __m256 before = first ? _mm256_setzero_ps() : _mm256_loadu_ps(c + i * ldc + v * 8);
            sum[i * across + v] = _mm256_fmadd_ps(_mm256_loadu_ps(f->scale + column + v * 8), s, before);
        }
}

#ifdef __AVX512F__
/* The same for registers of 16 columns. */
ALWAYS_INLINE void factors_apply_512(const struct gemm_factors *f, int row, int column, const float *c, ptrdiff_t ldc,
                                     bool first, __m512 *sum, int rows, int across)
{
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < across; v++) {
            __m512 s = sum[i * across + v];
            if (f->offset)
                s = _mm512_fmadd_ps(_mm512_loadu_ps(f->offset + column + v * 16), _mm512_set1_ps(f->sums[row + i]), s);
            const __m512 before = first ? _mm512_setzero_ps() : _mm512_loadu_ps(c + i * ldc + v * 16);
            sum[i * across + v] = _mm512_fmadd_ps(_mm512_loadu_ps(f->scale + column + v * 16), s, before);
        }
}
#endif

#endif
