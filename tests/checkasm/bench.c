/* SPDX-License-Identifier: MIT */
/*
 * bench.c - times every kernel of every table that this machine can run, next to the first one of the table, which is
 * plain C. Sizes are those that the operator uses, all within the caches.
 */
#include <stdio.h>

#include "base/convert.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "bench.h"
#include "checkasm.h"
#include "gemm/kernel/kernels.h"
#include "norm/norm.h"

enum { ELEMENTS = 16384, ROW = 4096, BLOCK_N = 128, BLOCK_K = 512, ROUNDS = 15 };

/* Big enough for any case. Zeros are as fast as other values, because no kernel looks at values. */
static struct {
    void *in, *other, *out;
    float *wide;
} memory;

void bench_line(const char *kernel, const char *what, double seconds, double work, const char *unit, double ceiling,
                double *plain)
{
    double rate = work / seconds * 1e-9;
    if (*plain <= 0)
        *plain = rate;
    printf("%-10s %-36s %10.2f us %8.2f %-8s %7.2f x plain", kernel, what, seconds * 1e6, rate, unit, rate / *plain);
    if (ceiling > 0)
        printf(" %6.1f %% of %.1f", rate / ceiling * 100, ceiling);
    printf("\n");
    fflush(stdout);
}

static void bench_convert(int32_t dtype)
{
    const double bytes = ELEMENTS * (sizeof(float) + (double)dtype_size(dtype));
    double seconds, plain_to = 0, plain_from = 0;
    char what[64];
    for (int i = 0; convert_kernels[i]; i++) {
        const struct convert_kernel *kernel = convert_kernels[i];
        if (kernel->needs & ~cpu_features() || !kernel->to_f32[dtype] || !kernel->from_f32[dtype])
            continue;
        snprintf(what, sizeof what, "convert %s to f32", dtype_name(dtype));
        BEST_OF(ROUNDS, 50, seconds, kernel->to_f32[dtype](memory.in, memory.wide, ELEMENTS));
        bench_line(kernel->name, what, seconds, bytes, "GB/s", 0, &plain_to);
        snprintf(what, sizeof what, "convert f32 to %s", dtype_name(dtype));
        BEST_OF(ROUNDS, 50, seconds, kernel->from_f32[dtype](memory.wide, memory.out, ELEMENTS));
        bench_line(kernel->name, what, seconds, bytes, "GB/s", 0, &plain_from);
    }
}

static void bench_norm(int32_t dtype)
{
    const double size = (double)dtype_size(dtype);
    double seconds, plain_add = 0, plain_row = 0;
    char what[64];
    const struct norm_row row = {.y = memory.in,
                                 .gamma = memory.other,
                                 .norm_out = memory.out,
                                 .n = ROW,
                                 .epsilon = 1e-6F,
                                 .round_twice = true,
                                 .rescale = true};
    for (int i = 0; norm_kernels[i]; i++) {
        const struct norm_kernel *kernel = norm_kernels[i];
        if (kernel->needs & ~cpu_features() || !kernel->add[dtype][0] || !kernel->row[dtype])
            continue;
        snprintf(what, sizeof what, "norm add %s", dtype_name(dtype));
        BEST_OF(ROUNDS, 50, seconds, kernel->add[dtype][0](memory.in, memory.other, memory.out, ROW));
        bench_line(kernel->name, what, seconds, 3 * ROW * size, "GB/s", 0, &plain_add);
        snprintf(what, sizeof what, "norm row %s", dtype_name(dtype));
        BEST_OF(ROUNDS, 50, seconds, kernel->row[dtype](&row));
        bench_line(kernel->name, what, seconds, 4 * ROW * size, "GB/s", 0, &plain_row);
    }
}

static void bench_block(int32_t dtype, int m, double peak)
{
    const struct float_block block = {
        .a = memory.wide,
        .lda = BLOCK_K + GEMM_NR,
        .b = memory.in,
        .k_stride = GEMM_NR,
        .panel_stride = BLOCK_K * GEMM_NR,
        .c = memory.out,
        .ldc = BLOCK_N,
        .m = m,
        .n = BLOCK_N,
        .k = BLOCK_K,
        .first = true,
        .paired = true,
    };
    double seconds, plain = 0;
    char what[64];
    for (int i = 0; float_kernels[i]; i++) {
        if (float_kernels[i]->needs & ~cpu_features() || !float_kernels[i]->block[dtype])
            continue;
        snprintf(what, sizeof what, "float block %s %d x %d x %d", dtype_name(dtype), m, BLOCK_N, BLOCK_K);
        BEST_OF(i ? ROUNDS : 1, i ? 20 : 1, seconds, float_kernels[i]->block[dtype](&block));
        bench_line(float_kernels[i]->name, what, seconds, 2.0 * m * BLOCK_N * BLOCK_K, "GFLOP/s", peak, &plain);
    }
}

/* There is no plain kernel, so the first of the table takes its place. */
static void bench_bf16(int m, double peak)
{
    const struct bf16_block block = {
        .a = memory.other,
        .lda = (BLOCK_K + GEMM_NR) / 2,
        .b = memory.in,
        .panel_stride = BLOCK_K / 2 * GEMM_NR,
        .c = memory.out,
        .ldc = BLOCK_N,
        .m = m,
        .n = BLOCK_N,
        .k = BLOCK_K / 2,
        .first = true,
    };
    double seconds, plain = 0;
    char what[64];
    snprintf(what, sizeof what, "pairs of bf16 %d x %d x %d", m, BLOCK_N, BLOCK_K);
    for (int i = 0; bf16_kernels[i]; i++) {
        if (bf16_kernels[i]->needs & ~cpu_features() || !bf16_kernels[i]->block)
            continue;
        BEST_OF(ROUNDS, 20, seconds, bf16_kernels[i]->block(&block));
        bench_line(bf16_kernels[i]->name, what, seconds, 2.0 * m * BLOCK_N * BLOCK_K, "GFLOP/s", peak, &plain);
    }
}

static void bench_pack(int32_t dtype)
{
    const double bytes = 2.0 * BLOCK_N * BLOCK_K * (double)dtype_size(dtype);
    double seconds, plain_kn = 0, plain_nk = 0;
    char what[64];
    for (int i = 0; pack_kernels[i]; i++) {
        const struct pack_kernel *kernel = pack_kernels[i];
        if (kernel->needs & ~cpu_features() || !kernel->kn[dtype] || !kernel->nk[dtype])
            continue;
        snprintf(what, sizeof what, "pack_kn %s", dtype_name(dtype));
        BEST_OF(ROUNDS, 20, seconds, kernel->kn[dtype](memory.in, BLOCK_N, BLOCK_K, BLOCK_N, memory.out));
        bench_line(kernel->name, what, seconds, bytes, "GB/s", 0, &plain_kn);
        snprintf(what, sizeof what, "pack_nk %s", dtype_name(dtype));
        BEST_OF(ROUNDS, 20, seconds, kernel->nk[dtype](memory.in, BLOCK_K, BLOCK_K, BLOCK_N, memory.out));
        bench_line(kernel->name, what, seconds, bytes, "GB/s", 0, &plain_nk);
    }
}

void bench(void)
{
    static const int rows[] = {1, 2, 3, 4, 5, 6, 7, 13, 96};
    const size_t bytes = (size_t)1 << 20;
    struct peak peak;
    if (!peak_measure(1, PEAK_MEMORY, &peak)) {
        perror("checkasm: no ceilings for --bench");
        return;
    }
    memory.in = memory_alloc(1, bytes);
    memory.other = memory_alloc(1, bytes);
    memory.out = memory_alloc(1, bytes);
    memory.wide = memory_alloc(1, bytes);
    if (!memory.in || !memory.other || !memory.out || !memory.wide)
        printf("checkasm: no memory for --bench\n");
    else
        for (int32_t dtype = MMARN_F16; dtype <= MMARN_F32; dtype++) {
            bench_convert(dtype);
            bench_norm(dtype);
            bench_pack(dtype);
            for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                bench_block(dtype, rows[i], peak.rate[PEAK_FP32].best_gflops);
                if (dtype == MMARN_BF16)
                    bench_bf16(rows[i], peak.rate[PEAK_BF16].best_gflops);
            }
        }
    memory_free(memory.in);
    memory_free(memory.other);
    memory_free(memory.out);
    memory_free(memory.wide);
    bench_tiles(&peak);
}
