/*
 * bench_tile.c - times gemm_tile with the best kernel, as the operator uses it: a tile of many rows, bound by multiply-
 * adds; and a few rows against matrices that take turns and do not fit any cache, bound by reading them.
 */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "checkasm.h"
#include "gemm/gemm.h"

enum { TILE_M = 96, TILE_N = 512, TILE_K = 1024, DECODE_K = 2048, DECODE_N = 4096, MOST_ROWS = 96 };

static const char *const layout_names[] = {[GEMM_KN] = "kn", [GEMM_NK] = "nk", [GEMM_PACKED] = "packed"};

/* Any memory does as a matrix of any layout: only where its elements lie matters here. */
static struct gemm_weights view(int32_t dtype, enum gemm_layout layout, int k, int n, const void *data)
{
    return (struct gemm_weights){
        .dtype = dtype, .layout = layout, .k = k, .n = n, .data = data, .ld = layout == GEMM_NK ? k : n};
}

static void bench_tall(const char *x1, const char *x2, float *c, double peak)
{
    for (int32_t dtype = MMARN_F16; dtype < DTYPE_COUNT; dtype++)
        for (int layout = GEMM_KN; layout <= GEMM_PACKED; layout++) {
            /* Eight tiles' columns, as one row-block has them. */
            struct gemm_weights w = view(dtype, (enum gemm_layout)layout, TILE_K, 8 * TILE_N, x2);
            struct gemm_scratch *scratch = gemm_scratch_create();
            double seconds, plain = 0;
            char what[64];
            int tile = 0;
            BEST_OF(40, 8, seconds, gemm_tile(&w, scratch, x1, 0, TILE_M, tile++ % 8 * TILE_N, TILE_N, c, TILE_N));
            snprintf(what, sizeof what, "tile %s %s %d x %d x %d", dtype_name(dtype), layout_names[layout], TILE_M,
                     TILE_N, TILE_K);
            bench_line("best", what, seconds, 2.0 * TILE_M * TILE_N * TILE_K, "GFLOP/s", peak, &plain);
            gemm_scratch_destroy(scratch);
        }
}

static void bench_flat(int rows, const char *x1, const char *x2, size_t x2_bytes, float *c, double read_peak)
{
    for (int32_t dtype = MMARN_F16; dtype < DTYPE_COUNT; dtype++)
        for (int layout = GEMM_KN; layout <= GEMM_PACKED; layout++) {
            const size_t bytes = (size_t)DECODE_K * DECODE_N * dtype_size(dtype);
            struct gemm_weights w = view(dtype, (enum gemm_layout)layout, DECODE_K, DECODE_N, x2);
            struct gemm_scratch *scratch = gemm_scratch_create();
            double seconds, plain = 0;
            char what[64];
            size_t turn = 0;
            BEST_OF(24, 1, seconds, {
                w.data = x2 + turn++ % (x2_bytes / bytes) * bytes;
                gemm_tile(&w, scratch, x1, 0, rows, 0, DECODE_N, c, DECODE_N);
            });
            snprintf(what, sizeof what, "tile %s %s %d x %d x %d", dtype_name(dtype), layout_names[layout], rows,
                     DECODE_N, DECODE_K);
            bench_line("best", what, seconds, (double)bytes, "GB/s", read_peak, &plain);
            gemm_scratch_destroy(scratch);
        }
}

void bench_tiles(void)
{
    const size_t x2_bytes = (size_t)256 << 20;
    char *x1 = memory_alloc((size_t)MOST_ROWS * DECODE_K, sizeof(float));
    char *x2 = memory_alloc(x2_bytes, 1);
    float *c = memory_alloc((size_t)MOST_ROWS * DECODE_N, sizeof *c);
    if (x1 && x2 && c) {
        const double peak = ceiling_flops(), read_peak = ceiling_read(x2, x2_bytes);
        printf("ceilings of one thread: %.1f GFLOP/s of fp32 multiply-adds, %.2f GB/s read\n", peak, read_peak);
        bench_tall(x1, x2, c, peak);
        for (int rows = 1; rows <= 16; rows = rows < 4 ? rows + 1 : rows * 2)
            bench_flat(rows, x1, x2, x2_bytes, c, read_peak);
    } else {
        printf("checkasm: no memory for --bench\n");
    }
    memory_free(x1);
    memory_free(x2);
    memory_free(c);
}
