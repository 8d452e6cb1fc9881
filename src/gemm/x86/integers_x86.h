/* SPDX-License-Identifier: MIT */
/*
 * integers_x86.h - packed int8 and int4 weights as fp32 in registers, for kernels on x86-64. Kernels take the rows of a
 * panel in groups of a cache line.
 */
#ifndef MMARN_GEMM_X86_INTEGERS_X86_H
#define MMARN_GEMM_X86_INTEGERS_X86_H

#include <immintrin.h>

#include "base/compiler.h"
#include "gemm/kernel/panels.h"

enum { INTEGERS_LINE = 64 /* bytes of a group of rows */ };

ALWAYS_INLINE int integers_rows(int32_t dtype)
{
    return dtype == MMARN_I8 ? INTEGERS_LINE / GEMM_NR : GEMM_I4_ROWS;
}

/*
 * Columns 0 .. 7, or, with high, 8 .. 15, of row p of the group at `line`. Four bits of int4 are moved to the top of
 * their word and back, which extends their sign.
 */
ALWAYS_INLINE __m256 integers_load_256(int32_t dtype, const char *line, int p, int high)
{
    if (dtype == MMARN_I8)
        return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)(line + p * GEMM_NR + high * 8))));
    const __m256i words = _mm256_loadu_si256((const __m256i *)(const void *)line + high);
    return _mm256_cvtepi32_ps(_mm256_srai_epi32(_mm256_slli_epi32(words, 28 - gemm_i4_shift(p)), 28));
}

#ifdef __AVX512F__
/*
 * All columns of row p; `last` says that p is not a constant. A permutation looks int4 up in a table: it reads four
 * bits of its index and ignores the others.
 */
ALWAYS_INLINE __m512 integers_load_512(int32_t dtype, const char *line, int p, int last)
{
    if (dtype == MMARN_I8)
        return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)(line + p * GEMM_NR))));
    const __m512 values = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1);
    const __m512i words = _mm512_loadu_si512(line);
    return _mm512_permutexvar_ps(last ? _mm512_srlv_epi32(words, _mm512_set1_epi32(gemm_i4_shift(p)))
                                      : _mm512_srli_epi32(words, (unsigned)gemm_i4_shift(p)),
                                 values);
}
#endif

#endif
