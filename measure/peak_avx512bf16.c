/* SPDX-License-Identifier: MIT */
/*
 * peak_avx512bf16.c - dot products of two bf16 on 512-bit registers, added to sums of fp32. Called only if the
 * processor has AVX-512 and its BF16.
 */
#include <immintrin.h>

#include "peak.h"

/* bf16 in a register, and the bits of 1 and 1/2. */
enum { WIDTH = 32, ONE = 0x3f80, HALF = 0x3f00 };

int64_t peak_bf16_avx512bf16(int64_t rounds, float *sink)
{
    const __m512bh left = (__m512bh)_mm512_set1_epi16(ONE), right = (__m512bh)_mm512_set1_epi16(HALF);
    __m512 sum[PEAK_CHAINS];

    for (int i = 0; i < PEAK_CHAINS; i++)
        sum[i] = _mm512_setzero_ps();
    for (int64_t round = 0; round < rounds; round++)
        for (int i = 0; i < PEAK_CHAINS; i++)
            sum[i] = _mm512_dpbf16_ps(sum[i], left, right);
    for (int i = 1; i < PEAK_CHAINS; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    *sink += _mm512_cvtss_f32(sum[0]);
    return rounds * PEAK_CHAINS * WIDTH * 2;
}
