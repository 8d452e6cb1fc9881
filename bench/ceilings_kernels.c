/*
 * ceilings_kernels.c - dot products of int8 and of bf16 in 512-bit registers, as AVX-512 VNNI and BF16 have them. For
 * int8, multiply-adds of pairs with AVX2 where there is no VNNI.
 */
#include "ceilings.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* The results must be seen to be used. */
static volatile int sink;

__attribute__((target("avx512f,avx512vnni"))) static double int8_vnni(int64_t rounds)
{
    const __m512i a = _mm512_set1_epi8(1), b = _mm512_set1_epi8(2);
    __m512i sum[CEILING_CHAINS];

    for (int i = 0; i < CEILING_CHAINS; i++)
        sum[i] = _mm512_setzero_si512();
    for (int64_t round = 0; round < rounds; round++)
        for (int i = 0; i < CEILING_CHAINS; i++)
            sum[i] = _mm512_dpbusd_epi32(sum[i], a, b);
    for (int i = 1; i < CEILING_CHAINS; i++)
        sum[0] = _mm512_add_epi32(sum[0], sum[i]);
    sink = _mm512_reduce_add_epi32(sum[0]);
    return (double)rounds * CEILING_CHAINS * 64 * 2;
}

__attribute__((target("avx2"))) static double int8_avx2(int64_t rounds)
{
    __m256i a = _mm256_set1_epi16(1), sum[CEILING_CHAINS];

    for (int i = 0; i < CEILING_CHAINS; i++)
        sum[i] = _mm256_setzero_si256();
    for (int64_t round = 0; round < rounds; round++) {
        __asm__ volatile("" : "+x"(a)); /* or the product would be taken out of the loop */
        for (int i = 0; i < CEILING_CHAINS; i++)
            sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(a, a));
    }
    for (int i = 1; i < CEILING_CHAINS; i++)
        sum[0] = _mm256_add_epi32(sum[0], sum[i]);
    sink = _mm256_extract_epi32(sum[0], 0);
    return (double)rounds * CEILING_CHAINS * 16 * 2;
}

__attribute__((target("avx512f,avx512bf16"))) static double bf16_dot(int64_t rounds)
{
    const __m512bh a = (__m512bh)_mm512_set1_epi16(0x3f80), b = (__m512bh)_mm512_set1_epi16(0x3f00);
    __m512 sum[CEILING_CHAINS];
    float lanes[16];

    for (int i = 0; i < CEILING_CHAINS; i++)
        sum[i] = _mm512_setzero_ps();
    for (int64_t round = 0; round < rounds; round++)
        for (int i = 0; i < CEILING_CHAINS; i++)
            sum[i] = _mm512_dpbf16_ps(sum[i], a, b);
    for (int i = 1; i < CEILING_CHAINS; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    _mm512_storeu_ps(lanes, sum[0]);
    sink = (int)lanes[0];
    return (double)rounds * CEILING_CHAINS * 32 * 2;
}

double ceiling_int8(int64_t rounds)
{
    if (__builtin_cpu_supports("avx512vnni"))
        return int8_vnni(rounds);
    return __builtin_cpu_supports("avx2") ? int8_avx2(rounds) : 0.0;
}

double ceiling_bf16(int64_t rounds)
{
    return __builtin_cpu_supports("avx512bf16") ? bf16_dot(rounds) : 0.0;
}

#else

double ceiling_int8(int64_t rounds)
{
    return 0.0 * (double)rounds;
}

double ceiling_bf16(int64_t rounds)
{
    return 0.0 * (double)rounds;
}

#endif
