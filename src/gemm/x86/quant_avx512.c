/* SPDX-License-Identifier: MIT */
/*
 * quant_avx512.c - multiplies rows of x1 with int8 or int4 weights with AVX-512, like quant_avx2.c. A register is a row
 * of a panel.
 */
#include "base/x86/avx512.h"
#include "gemm/kernel/quant_kernel.h"
#include "gemm/x86/factors_x86.h"
#include "gemm/x86/integers_x86.h"

enum { MAX_ROWS = 8, MAX_PANELS = 8, MAX_C = 24 };

/* Most panels side by side, by the rows of the tile: 8 sums and more hide the latency of two multiply-adds a cycle. */
/* clang-format off */
#define WIDEST(ROW, ...)                                                                        \
    ROW(1, 8, __VA_ARGS__) ROW(2, 6, __VA_ARGS__) ROW(3, 4, __VA_ARGS__) ROW(4, 4, __VA_ARGS__) \
    ROW(5, 4, __VA_ARGS__) ROW(6, 4, __VA_ARGS__) ROW(7, 2, __VA_ARGS__) ROW(8, 2, __VA_ARGS__)
/* clang-format on */

/* Adds the products of row p of a group of rows. */
ALWAYS_INLINE void multiply(const struct quant_block *g, const float *a, const char *line, int p, int last, __m512 *sum,
                            int32_t dtype, int rows, int panels)
{
    const ptrdiff_t panel_bytes = gemm_bytes(dtype, g->panel_stride);
#pragma GCC unroll 8
    for (int v = 0; v < panels; v++) {
        const __m512 w = integers_load_512(dtype, line + v * panel_bytes, p, last);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++)
            sum[i * panels + v] = _mm512_fmadd_ps(_mm512_set1_ps(a[i * g->lda + p]), w, sum[i * panels + v]);
    }
}

/* One register tile: a, b and c point at its first row and column. */
ALWAYS_INLINE void micro(const struct quant_block *g, int row, int column, const float *a, const char *b, float *c,
                         ptrdiff_t ldc, int32_t dtype, int rows, int panels)
{
    const ptrdiff_t panel_bytes = gemm_bytes(dtype, g->panel_stride);
    const int step = integers_rows(dtype);
    __m512 sum[MAX_C];
#pragma GCC unroll 24
    for (int i = 0; i < rows * panels; i++)
        sum[i] = _mm512_setzero_ps();
    int k = g->k;
    for (; k >= step; k -= step, a += step, b += INTEGERS_LINE) {
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++)
            prefetch_ahead(b + v * panel_bytes, g->ahead);
#pragma GCC unroll 8
        for (int p = 0; p < step; p++)
            multiply(g, a, b, p, 0, sum, dtype, rows, panels);
    }
    for (int p = 0; p < k; p++)
        multiply(g, a, b, p, 1, sum, dtype, rows, panels);
    factors_apply_512(&g->factors, row, column, c, ldc, g->first, sum, rows, panels);
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++)
            _mm512_storeu_ps(c + i * ldc + v * GEMM_NR, sum[i * panels + v]);
}

ALWAYS_INLINE void widen_panel(int32_t dtype, const char *b, int k, float *dst)
{
    const int step = integers_rows(dtype);
    for (; k >= step; k -= step, b += INTEGERS_LINE, dst += step * GEMM_NR)
#pragma GCC unroll 8
        for (int p = 0; p < step; p++)
            _mm512_storeu_ps(dst + p * GEMM_NR, integers_load_512(dtype, b, p, 0));
    for (int p = 0; p < k; p++)
        _mm512_storeu_ps(dst + p * GEMM_NR, integers_load_512(dtype, b, p, 1));
}

#include "gemm/x86/quant_table.h"

const struct quant_kernel quant_avx512 = QUANT_TABLE("avx512", CPU_AVX512);
