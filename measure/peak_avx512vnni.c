/* SPDX-License-Identifier: MIT */
/*
 * peak_avx512vnni.c - dot products of four int8 on 512-bit registers, added to sums of int32. Called only if the
 * processor has AVX-512 and its VNNI.
 */
#include <immintrin.h>

#include "peak.h"

/* int8 in a register. */
enum { WIDTH = 64 };

int64_t peak_int8_avx512vnni(int64_t rounds, float *sink)
{
    const __m512i left = _mm512_set1_epi8(3), right = _mm512_set1_epi8(2);
    __m512i sum[PEAK_CHAINS];

    for (int i = 0; i < PEAK_CHAINS; i++)
        sum[i] = _mm512_setzero_si512();
    for (int64_t round = 0; round < rounds; round++)
        for (int i = 0; i < PEAK_CHAINS; i++)
            sum[i] = _mm512_dpbusd_epi32(sum[i], left, right);
    for (int i = 1; i < PEAK_CHAINS; i++)
        sum[0] = _mm512_add_epi32(sum[0], sum[i]);
    *sink += (float)_mm_cvtsi128_si32(_mm512_castsi512_si128(sum[0]));
    return rounds * PEAK_CHAINS * WIDTH * 2;
}
