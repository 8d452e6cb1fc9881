/* SPDX-License-Identifier: MIT */
/*
 * bench_tile.c - times gemm_tile with the best kernels, as the operator uses it: a tile of many rows, bound by
 * multiply-adds; and a few rows against matrices that take turns and do not fit any cache, bound by reading them. Every
 * pair of types takes turns with f16 in the same layout, with which it is compared.
 */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "bench.h"
#include "gemm/gemm.h"

enum { TILE_M = 96, TILE_N = 512, TILE_K = 1024, DECODE_K = 2048, DECODE_N = 4096, MOST_ROWS = 96, GROUP = 128 };
enum { ROUNDS = 40 };

static const char *const layout_names[] = {[GEMM_KN] = "kn", [GEMM_NK] = "nk", [GEMM_PACKED] = "packed"};

static const struct pair {
    int32_t x_dtype, dtype;
    int group;   /* 0: one group */
    bool offset; /* false: no offset */
} pairs[] = {
    {MMARN_F16, MMARN_F16, 0, false},   {MMARN_BF16, MMARN_BF16, 0, false},  {MMARN_F32, MMARN_F32, 0, false},
    {MMARN_I8, MMARN_I8, 0, false},     {MMARN_F16, MMARN_I8, 0, false},     {MMARN_F16, MMARN_I8, 0, true},
    {MMARN_F16, MMARN_I8, GROUP, true}, {MMARN_F16, MMARN_I4, 0, false},     {MMARN_F16, MMARN_I4, GROUP, true},
    {MMARN_BF16, MMARN_I8, 0, false},   {MMARN_BF16, MMARN_I4, GROUP, true}, {MMARN_F32, MMARN_I8, 0, false},
    {MMARN_F32, MMARN_I4, GROUP, true},
};

static struct {
    char *x1, *x2;
    size_t x2_bytes;
    float *scale, *offset, *c;
    const struct peak *peak;
} bench_data;

/* Any memory serves as a matrix of any layout: only the addresses of its elements matter here. */
static struct gemm_weights view(const struct pair *pair, enum gemm_layout layout, int k, int n)
{
    return (struct gemm_weights){
        .dtype = pair->dtype,
        .x_dtype = pair->x_dtype,
        .layout = layout,
        .k = k,
        .n = n,
        .data = bench_data.x2,
        .ld = layout == GEMM_NK ? k : n,
        .group = pair->group ? pair->group : k,
        .scale_ld = n,
        .scale = bench_data.scale,
        .offset = pair->offset ? bench_data.offset : NULL,
    };
}

static double time_tall(struct gemm_weights *w, struct gemm_scratch *scratch)
{
    /* The columns of eight tiles, as in one row-block. */
    double start = clock_seconds();
    for (int tile = 0; tile < 8; tile++)
        gemm_tile(w, scratch, bench_data.x1, 0, TILE_M, (int64_t)tile * TILE_N, TILE_N, bench_data.c, TILE_N);
    return (clock_seconds() - start) / 8;
}

/* Times one matrix of several that lie one after another in x2. */
static double time_flat(struct gemm_weights *w, struct gemm_scratch *scratch, int rows)
{
    const size_t bytes = (size_t)gemm_bytes(w->dtype, (int64_t)DECODE_K * DECODE_N);
    const size_t used = (size_t)((const char *)w->data - bench_data.x2);
    w->data = bench_data.x2 + (used + 2 * bytes <= bench_data.x2_bytes ? used + bytes : 0);
    double start = clock_seconds();
    gemm_tile(w, scratch, bench_data.x1, 0, rows, 0, DECODE_N, bench_data.c, DECODE_N);
    return clock_seconds() - start;
}

/* rows: a few, or TILE_M for a tile of many. */
static void bench_pair(const struct pair *pair, enum gemm_layout layout, int rows)
{
    const bool tall = rows == TILE_M;
    const int k = tall ? TILE_K : DECODE_K, n = tall ? 8 * TILE_N : DECODE_N;
    struct gemm_weights w[2] = {view(pair, layout, k, n), view(&pairs[0], layout, k, n)};
    struct gemm_scratch *scratch[2] = {gemm_scratch_create(), gemm_scratch_create()};
    double best[2] = {1e9, 1e9};
    char what[64];
    for (int round = 0; round < 2 * ROUNDS && scratch[0] && scratch[1]; round++) {
        const int i = round % 2;
        double seconds = tall ? time_tall(&w[i], scratch[i]) : time_flat(&w[i], scratch[i], rows);
        best[i] = seconds < best[i] ? seconds : best[i];
    }
    const double work = tall ? 2.0 * TILE_M * TILE_N * TILE_K : (double)gemm_bytes(pair->dtype, (int64_t)k * n);
    double plain = work / best[1] * 1e-9;
    snprintf(what, sizeof what, "%s x %s%s%s %s, %d rows", dtype_name(pair->x_dtype), dtype_name(pair->dtype),
             pair->group ? "/g" : "", pair->offset ? "+o" : "", layout_names[layout], rows);
    const struct peak_rate *rate = &bench_data.peak->rate[peak_kind_of(gemm_choice_of(&w[0], rows).multiply)];
    bench_line("tile", what, best[0], work, tall ? "GFLOP/s" : "GB/s",
               tall ? rate->best_gflops : bench_data.peak->memory.best_gigabytes, &plain);
    gemm_scratch_destroy(scratch[0]);
    gemm_scratch_destroy(scratch[1]);
}

static void bench_rows(int rows)
{
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        for (int layout = GEMM_KN; layout <= GEMM_PACKED; layout++)
            bench_pair(&pairs[i], (enum gemm_layout)layout, rows);
}

static void bench_dequantise(void)
{
    double seconds, plain = 0;
    BEST_OF(ROUNDS, 20, seconds, gemm_dequantise(bench_data.c, TILE_N, TILE_M, TILE_N, NULL, bench_data.scale, NULL));
    bench_line("tile", "dequantise 96 x 512", seconds, 8.0 * TILE_M * TILE_N, "GB/s", 0, &plain);
}

void bench_tiles(const struct peak *peak)
{
    const size_t values = (size_t)(DECODE_K / GROUP) * DECODE_N;
    bench_data.x2_bytes = (size_t)256 << 20;
    bench_data.x1 = memory_alloc((size_t)MOST_ROWS * DECODE_K, sizeof(float));
    bench_data.x2 = memory_alloc(bench_data.x2_bytes, 1);
    bench_data.c = memory_alloc((size_t)MOST_ROWS * DECODE_N, sizeof(float));
    bench_data.scale = memory_alloc(values, sizeof(float));
    bench_data.offset = memory_alloc(values, sizeof(float));
    if (bench_data.x1 && bench_data.x2 && bench_data.c && bench_data.scale && bench_data.offset) {
        for (size_t i = 0; i < values; i++)
            bench_data.scale[i] = 0x1p-7F;
        bench_data.peak = peak;
        printf("ceilings of one thread: %.2f GB/s read", peak->memory.best_gigabytes);
        for (int kind = 0; kind < PEAK_KINDS; kind++)
            if (peak->rate[kind].level)
                printf(", %.1f GFLOP/s in %s", peak->rate[kind].best_gflops, peak_kind_names[kind]);
        printf("\n");
        printf("tiles, k x n %d x %d (96 rows) or %d x %d; 'x plain': beside f16 x f16 of the same layout\n", TILE_K,
               TILE_N, DECODE_K, DECODE_N);
        bench_rows(TILE_M);
        for (int rows = 1; rows <= 16; rows = rows < 4 ? rows + 1 : rows * 2)
            bench_rows(rows);
        bench_dequantise();
    } else {
        printf("checkasm: no memory for --bench\n");
    }
    memory_free(bench_data.x1);
    memory_free(bench_data.x2);
    memory_free(bench_data.c);
    memory_free(bench_data.scale);
    memory_free(bench_data.offset);
}
