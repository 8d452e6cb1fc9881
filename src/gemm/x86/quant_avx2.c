/* SPDX-License-Identifier: MIT */
/*
 * quant_avx2.c - multiplies rows of x1 with int8 or int4 weights with AVX2. Integers are widened to fp32 in registers,
 * 8 columns at a time, and multiplied as they are; the scale of a run meets only its sums. Memory is read a line of a
 * panel at a time.
 */
#include "base/x86/avx2.h"
#include "gemm/kernel/quant_kernel.h"
#include "gemm/x86/factors_x86.h"
#include "gemm/x86/integers_x86.h"

enum { VECTOR = 8, VECTORS = GEMM_NR / VECTOR, MAX_ROWS = 6, MAX_PANELS = 4, MAX_C = 12 };

/* Most panels side by side, by the rows of the tile: 8 sums and more hide the latency of two multiply-adds a cycle. */
/* clang-format off */
#define WIDEST(ROW, ...)                                                                        \
    ROW(1, 4, __VA_ARGS__) ROW(2, 3, __VA_ARGS__) ROW(3, 2, __VA_ARGS__) ROW(4, 1, __VA_ARGS__) \
    ROW(5, 1, __VA_ARGS__) ROW(6, 1, __VA_ARGS__)
/* clang-format on */

/* Adds the products of row p of a group of rows. */
ALWAYS_INLINE void multiply(const struct quant_block *g, const float *a, const char *line, int p, __m256 *sum,
                            int32_t dtype, int rows, int panels)
{
    const ptrdiff_t panel_bytes = gemm_bytes(dtype, g->panel_stride);
    const int across = panels * VECTORS;
#pragma GCC unroll 8
    for (int v = 0; v < across; v++) {
        const __m256 w = integers_load_256(dtype, line + v / VECTORS * panel_bytes, p, v % VECTORS);
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++)
            sum[i * across + v] = _mm256_fmadd_ps(_mm256_broadcast_ss(a + i * g->lda + p), w, sum[i * across + v]);
    }
}

/* One register tile: a, b and c point at its first row and column. */
ALWAYS_INLINE void micro(const struct quant_block *g, int row, int column, const float *a, const char *b, float *c,
                         ptrdiff_t ldc, int32_t dtype, int rows, int panels)
{
    const ptrdiff_t panel_bytes = gemm_bytes(dtype, g->panel_stride);
    const int across = panels * VECTORS, step = integers_rows(dtype);
    __m256 sum[MAX_C];
#pragma GCC unroll 12
    for (int i = 0; i < rows * across; i++)
        sum[i] = _mm256_setzero_ps();
    int k = g->k;
    for (; k >= step; k -= step, a += step, b += INTEGERS_LINE) {
#pragma GCC unroll 4
        for (int v = 0; v < panels; v++)
            prefetch_ahead(b + v * panel_bytes, g->ahead);
#pragma GCC unroll 8
        for (int p = 0; p < step; p++)
            multiply(g, a, b, p, sum, dtype, rows, panels);
    }
    for (int p = 0; p < k; p++)
        multiply(g, a, b, p, sum, dtype, rows, panels);
    factors_apply_256(&g->factors, row, column, c, ldc, g->first, sum, rows, across);
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < across; v++)
            _mm256_storeu_ps(c + i * ldc + v * VECTOR, sum[i * across + v]);
}

ALWAYS_INLINE void widen_panel(int32_t dtype, const char *b, int k, float *dst)
{
    const int step = integers_rows(dtype);
    for (; k > 0; k -= step, b += INTEGERS_LINE, dst += step * GEMM_NR)
#pragma GCC unroll 8
        for (int p = 0; p < (k < step ? k : step); p++)
            for (int v = 0; v < VECTORS; v++)
                _mm256_storeu_ps(dst + p * GEMM_NR + v * VECTOR, integers_load_256(dtype, b, p, v));
}

#include "gemm/x86/quant_table.h"

const struct quant_kernel quant_avx2 = QUANT_TABLE("avx2", CPU_AVX2);
