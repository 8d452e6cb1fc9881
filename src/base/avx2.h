/*
 * avx2.h - eight elements of any type between memory and a register of fp32, prefetching, and cutting into register
 * tiles. For files that are compiled for AVX2, and more.
 * dtype is a constant wherever these are used, so that nothing is left of the switch. Same bits as convert_ref.c.
 */
#ifndef MMARN_BASE_AVX2_H
#define MMARN_BASE_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"

#define AVX2_INLINE static inline __attribute__((always_inline))

AVX2_INLINE __m256 avx2_widen_bf16(__m128i upper)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(upper), 16));
}

AVX2_INLINE __m128i avx2_narrow_f16(__m256 values)
{
    return _mm256_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

AVX2_INLINE __m128i avx2_narrow_bf16(__m256 values)
{
#ifdef __AVX512BF16__
    /* One instruction instead of eleven, but it takes subnormal numbers for zeros. */
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
AVX2_INLINE __m256 avx2_load(int32_t dtype, const void *src)
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

AVX2_INLINE void avx2_store(int32_t dtype, void *dst, __m256 values)
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
AVX2_INLINE __m256 avx2_round(int32_t dtype, __m256 values)
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

/*
 * Asks for a line `ahead` bytes further on, in the second-level cache: lines that far ahead, and rows of x2 a power of
 * two apart, would only evict each other from the first. The address may lie beyond the array, which is harmless to the
 * processor but no pointer in C: so it is computed as a number.
 */
AVX2_INLINE void avx2_prefetch(const void *from, ptrdiff_t ahead)
{
    _mm_prefetch((const char *)((uintptr_t)from + (uintptr_t)ahead), _MM_HINT_T1);
}

/* The next piece of `left` when it is cut into the fewest pieces of at most `most`, as equal as can be. */
AVX2_INLINE int avx2_piece(int left, int most)
{
    int pieces = (left + most - 1) / most;
    return (left + pieces - 1) / pieces;
}

#endif
