/* SPDX-License-Identifier: MIT */
/*
 * peak_avx2.c - fused multiply-adds of fp32 on 256-bit registers; and int8 widened to int16, multiplied and added in
 * pairs, which are added to sums of int32. Called only if the processor has AVX2.
 */
#include <immintrin.h>

#include "peak.h"

/*
 * Floats, or int16, in a register; and sums of int32, of which there are fewer, because each also needs a register for
 * its products.
 */
enum { WIDTH = 8, WORDS = 16, SUMS = PEAK_CHAINS / 2 };

int64_t peak_fp32_avx2(int64_t rounds, float *sink)
{
    const __m256 half = _mm256_set1_ps(0.5f), one = _mm256_set1_ps(1.0f);
    __m256 sum[PEAK_CHAINS];
    float lanes[WIDTH];

    for (int i = 0; i < PEAK_CHAINS; i++)
        sum[i] = _mm256_setzero_ps();
    for (int64_t round = 0; round < rounds; round++)
        for (int i = 0; i < PEAK_CHAINS; i++)
            sum[i] = _mm256_fmadd_ps(sum[i], half, one);
    for (int i = 1; i < PEAK_CHAINS; i++)
        sum[0] = _mm256_add_ps(sum[0], sum[i]);
    _mm256_storeu_ps(lanes, sum[0]);
    *sink += lanes[0];
    return rounds * PEAK_CHAINS * WIDTH * 2;
}

int64_t peak_int8_avx2(int64_t rounds, float *sink)
{
    __m256i three = _mm256_set1_epi16(3), sum[SUMS];

    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm256_setzero_si256();
    for (int64_t round = 0; round < rounds; round++)
        for (int i = 0; i < SUMS; i++) {
            __asm__("" : "+x"(three)); /* hides the value from the compiler: otherwise one product would do */
            sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(three, three));
        }
    for (int i = 1; i < SUMS; i++)
        sum[0] = _mm256_add_epi32(sum[0], sum[i]);
    *sink += (float)_mm256_extract_epi32(sum[0], 0);
    return rounds * SUMS * WORDS * 2;
}
