/* SPDX-License-Identifier: MIT */
/* integers_avx2.h - packed int8 and int4 weights as fp32 in 256-bit registers. */
#ifndef MMARN_GEMM_X86_INTEGERS_AVX2_H
#define MMARN_GEMM_X86_INTEGERS_AVX2_H

#include <immintrin.h>

#include "base/compiler.h"
#include "gemm/kernel/panels.h"

/* Bytes of a group of rows of a panel, as integers_load_256 takes them: 64, a cache line. */
enum { INTEGERS_I8_ROWS = 4, INTEGERS_LINE = 64 };

ALWAYS_INLINE int integers_rows(int32_t dtype)
{
    return dtype == MMARN_I8 ? INTEGERS_I8_ROWS : GEMM_I4_ROWS;
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

#endif
