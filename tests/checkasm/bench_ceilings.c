/*
 * bench_ceilings.c - the two numbers that bound every kernel, measured on the spot: multiply-adds per second of one
 * thread in registers alone, and bytes per second that one thread can read.
 */
#include "checkasm.h"

#include <time.h>

#include "base/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

#if defined(__x86_64__)
enum { CHAINS = 12, STEPS = 1 << 20, ROUNDS = 20 };

__attribute__((target("avx2,fma"))) static float multiply_add(void)
{
    __m256 chains[CHAINS], factor = _mm256_set1_ps(0.999F);
    for (int c = 0; c < CHAINS; c++)
        chains[c] = _mm256_set1_ps((float)c);
    for (int step = 0; step < STEPS; step++)
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++)
            chains[c] = _mm256_fmadd_ps(chains[c], factor, factor);
    for (int c = 1; c < CHAINS; c++)
        chains[0] = _mm256_add_ps(chains[0], chains[c]);
    return _mm256_cvtss_f32(chains[0]);
}

double ceiling_flops(void)
{
    volatile float sink;
    double best = 1e9;
    if (!(cpu_features_present() & CPU_AVX2))
        return 0;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now();
        sink = multiply_add();
        double seconds = now() - start;
        best = seconds < best ? seconds : best;
    }
    (void)sink;
    return 2.0 * 8 * CHAINS * STEPS / best * 1e-9;
}
#else
double ceiling_flops(void)
{
    return 0;
}
#endif

/* Four sums, so that no addition waits for the one before. */
static uint64_t read_all(const uint64_t *words, size_t count)
{
    uint64_t sum[4] = {0};
    for (size_t i = 0; i + 4 <= count; i += 4)
        for (size_t l = 0; l < 4; l++)
            sum[l] += words[i + l];
    return sum[0] + sum[1] + sum[2] + sum[3];
}

double ceiling_read(const void *memory, size_t bytes)
{
    volatile uint64_t sink;
    double best = 1e9;
    for (int round = 0; round < 20; round++) {
        double start = now();
        sink = read_all(memory, bytes / sizeof(uint64_t));
        double seconds = now() - start;
        best = seconds < best ? seconds : best;
    }
    (void)sink;
    return (double)bytes / best * 1e-9;
}
