/* SPDX-License-Identifier: MIT */
/*
 * avx512.h - sixteen elements of any type, one row of a panel, between memory and a register of fp32, for files that
 * are compiled for AVX-512. dtype is a constant wherever these are used, so that the compiler removes the switch. Same
 * bits as convert_ref.c.
 */
#ifndef MMARN_BASE_X86_AVX512_H
#define MMARN_BASE_X86_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/dtype.h"

ALWAYS_INLINE __m256i avx512_narrow_bf16(__m512 values)
{
    const __m512i bits = _mm512_castps_si512(values), upper = _mm512_srli_epi32(bits, 16);
    const __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
    const __m512i sum = _mm512_add_epi32(_mm512_add_epi32(bits, odd), _mm512_set1_epi32(0x7fff));
    const __mmask16 is_nan = _mm512_cmp_ps_mask(values, values, _CMP_UNORD_Q);
    const __m512i quiet = _mm512_or_si512(upper, _mm512_set1_epi32(0x40));
    return _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(_mm512_srli_epi32(sum, 16), is_nan, quiet));
}

ALWAYS_INLINE __m512 avx512_widen_bf16(__m256i upper)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(upper), 16));
}

/* src needs no alignment. */
ALWAYS_INLINE __m512 avx512_load(int32_t dtype, const void *src)
{
    switch (dtype) {
    case MMARN_F16:
        return _mm512_cvtph_ps(_mm256_loadu_si256(src));
    case MMARN_BF16:
        return avx512_widen_bf16(_mm256_loadu_si256(src));
    default:
        return _mm512_loadu_ps(src);
    }
}

/* To dtype and back. */
ALWAYS_INLINE __m512 avx512_round(int32_t dtype, __m512 values)
{
    switch (dtype) {
    case MMARN_F16:
        return _mm512_cvtph_ps(_mm512_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    case MMARN_BF16:
        return avx512_widen_bf16(avx512_narrow_bf16(values));
    default:
        return values;
    }
}

#endif
