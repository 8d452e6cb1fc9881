/* SPDX-License-Identifier: MIT */
/* peak_avx512.c - fused multiply-adds of fp32 on 512-bit registers. Called only if the processor has AVX-512. */
#include <immintrin.h>

#include "peak.h"

/* Floats in a register. */
enum { WIDTH = 16 };

int64_t peak_fp32_avx512(int64_t rounds, float *sink)
{
    const __m512 half = _mm512_set1_ps(0.5f), one = _mm512_set1_ps(1.0f);
    __m512 sum[PEAK_CHAINS];
    float lanes[WIDTH];

    for (int i = 0; i < PEAK_CHAINS; i++)
        sum[i] = _mm512_setzero_ps();
    for (int64_t round = 0; round < rounds; round++)
        for (int i = 0; i < PEAK_CHAINS; i++)
            sum[i] = _mm512_fmadd_ps(sum[i], half, one);
    for (int i = 1; i < PEAK_CHAINS; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    _mm512_storeu_ps(lanes, sum[0]);
    *sink += lanes[0];
    return rounds * PEAK_CHAINS * WIDTH * 2;
}
