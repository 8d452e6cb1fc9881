/* SPDX-License-Identifier: MIT */
/* integers_avx512.h - packed int8 and int4 weights as fp32 in 512-bit registers: a row of a panel in one register. */
#ifndef MMARN_GEMM_X86_INTEGERS_AVX512_H
#define MMARN_GEMM_X86_INTEGERS_AVX512_H

#include <immintrin.h>

#include "base/compiler.h"
#include "gemm/kernel/panels.h"

/* Bytes of a group of rows of a panel, as integers_load_512 takes them: 64, a cache line. */
enum { INTEGERS_I8_ROWS = 4, INTEGERS_LINE = 64 };

ALWAYS_INLINE int integers_rows(int32_t dtype)
{
    return dtype == MMARN_I8 ? INTEGERS_I8_ROWS : GEMM_I4_ROWS;
}

/*
 * Row p of the group at `line`; `last` says that p is not a constant. A permutation looks int4 up in a table: it reads
 * four bits of its index and ignores the others.
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
