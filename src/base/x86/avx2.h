/* SPDX-License-Identifier: MIT */
/*
 * avx2.h - eight elements of any type between memory and a register of fp32, for files that are compiled for AVX2 and
 * more. dtype is a constant wherever these are used, so that the compiler removes the switch. Same bits as
 * convert_ref.c.
 */
#ifndef MMARN_BASE_X86_AVX2_H
#define MMARN_BASE_X86_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/dtype.h"

ALWAYS_INLINE __m256 avx2_widen_bf16(__m128i upper)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(upper), 16));
}

ALWAYS_INLINE __m128i avx2_narrow_f16(__m256 values)
{
    return _mm256_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

ALWAYS_INLINE __m128i avx2_narrow_bf16(__m256 values)
{
#ifdef __AVX512BF16__
    /* One instruction instead of eleven, but it treats subnormal numbers as zeros. */
    enum { SUBNORMAL = 0x20 };
    if (__builtin_expect(!_mm256_fpclass_ps_mask(values, SUBNORMAL), 1))
        return (__m128i)_mm256_cvtneps_pbh(values);
#endif
    __m256i bits = _mm256_castps_si256(values);
    __m256i upper = _mm256_srli_epi32(bits, 16);
    __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
    __m256i sum = _mm256_add_epi32(_mm256_add_epi32(bits, odd), _mm256_set1_epi32(0x7fff));
    __m256i rounded = _mm256_srli_epi32(sum, 16);
    __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
    __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(values, values, _CMP_UNORD_Q));
    __m256i result = _mm256_blendv_epi8(rounded, quiet, is_nan);
    return _mm_packus_epi32(_mm256_castsi256_si128(result), _mm256_extracti128_si256(result, 1));
}

/* src and dst need no alignment. */
ALWAYS_INLINE __m256 avx2_load(int32_t dtype, const void *src)
{
    switch (dtype) {
    case MMARN_F16:
        return _mm256_cvtph_ps(_mm_loadu_si128(src));
    case MMARN_BF16:
        return avx2_widen_bf16(_mm_loadu_si128(src));
    default:
        return _mm256_loadu_ps(src);
    }
}

ALWAYS_INLINE void avx2_store(int32_t dtype, void *dst, __m256 values)
{
    switch (dtype) {
    case MMARN_F16:
        _mm_storeu_si128(dst, avx2_narrow_f16(values));
        break;
    case MMARN_BF16:
        _mm_storeu_si128(dst, avx2_narrow_bf16(values));
        break;
    default:
        _mm256_storeu_ps(dst, values);
    }
}

/* To dtype and back. */
ALWAYS_INLINE __m256 avx2_round(int32_t dtype, __m256 values)
{
    switch (dtype) {
    case MMARN_F16:
        return _mm256_cvtph_ps(avx2_narrow_f16(values));
    case MMARN_BF16:
        return avx2_widen_bf16(avx2_narrow_bf16(values));
    default:
        return values;
    }
}

#endif
