/*
 * peak_avx2.c - fused multiply-adds on 256-bit registers. Called only when the processor has AVX2.
 */
#include <immintrin.h>

#include "peak.h"

/* Floats in a register. */
enum { WIDTH = 8 };

int64_t peak_avx2(int64_t rounds, float *sink)
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
