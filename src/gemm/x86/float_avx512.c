/* SPDX-License-Identifier: MIT */
/*
 * float_avx512.c - the kernel for float weights with AVX-512. One register is a row of a panel, and there are 32
 * registers. A tile of C of up to 12 rows x 2 panels reads B half as often from the caches as AVX2's 6 x 1. Broadcasts
 * of A are memory operands. Chains and shapes follow float_256.h.
 */
#include "base/x86/avx512.h"
#include "gemm/kernel/float_kernel.h"
#include "gemm/x86/factors_x86.h"

enum {
    MAX_ROWS = 12,
    MAX_PANELS = 8,
    MAX_C = 24, /* registers of C; B takes 2, or one for each panel if rows are few */
    PREFETCH = 3072
};

/* Most panels side by side, by the rows of the tile: 8 chains hide the latency of two multiply-adds a cycle. */
/* clang-format off */
#define WIDEST(ROW, ...)                                                                          \
    ROW(1, 8, __VA_ARGS__) ROW(2, 4, __VA_ARGS__) ROW(3, 3, __VA_ARGS__) ROW(4, 2, __VA_ARGS__)   \
    ROW(5, 2, __VA_ARGS__) ROW(6, 2, __VA_ARGS__) ROW(7, 2, __VA_ARGS__) ROW(8, 2, __VA_ARGS__)   \
    ROW(9, 2, __VA_ARGS__) ROW(10, 2, __VA_ARGS__) ROW(11, 2, __VA_ARGS__) ROW(12, 2, __VA_ARGS__)
/* clang-format on */

/* A row of k of one panel. If rows lie in pairs, it is the first or second of the pair at b. */
ALWAYS_INLINE __m512 load_row(int32_t dtype, bool paired, const char *b, int row)
{
    if (!paired)
        return avx512_load(dtype, b);
    const __m512i pair = _mm512_loadu_si512(b);
    return _mm512_castsi512_ps(row ? _mm512_slli_epi32(pair, 16) : _mm512_and_si512(pair, _mm512_set1_epi32(-0x10000)));
}

/* Adds the products of `depth` rows of k, a pair or one, at a and b. */
ALWAYS_INLINE void multiply(const struct float_block *g, const float *a, const char *b, __m512 *sum, int32_t dtype,
                            bool paired, int rows, int panels, int depth)
{
    const ptrdiff_t panel_bytes = g->panel_stride * (dtype == MMARN_F32 ? 4 : 2);
    __m512 right[MAX_PANELS];
#pragma GCC unroll 2
    for (int row = 0; row < depth; row++) {
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++) {
            if (row == 0)
                prefetch_ahead(b + v * panel_bytes, PREFETCH);
            right[v] = load_row(dtype, paired, b + v * panel_bytes, row);
        }
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++) {
            const __m512 left = _mm512_set1_ps(a[i * g->lda + row]);
#pragma GCC unroll 8
            for (int v = 0; v < panels; v++)
                sum[i * panels + v] = _mm512_fmadd_ps(left, right[v], sum[i * panels + v]);
        }
    }
}

/* One chain over k rows of a register tile: added to C, continued from it, or multiplied by factors. */
ALWAYS_INLINE void chain(const struct float_block *g, int row, int column, const float *a, const char *b, float *c,
                         ptrdiff_t ldc, int32_t dtype, bool paired, int rows, int panels, int k, bool first)
{
    const int depth = paired ? 2 : 1;
    const ptrdiff_t step = paired ? 2 * GEMM_NR * 2 : g->k_stride * (dtype == MMARN_F32 ? 4 : 2);
    const bool scaled = dtype == MMARN_F32 && g->factors, is_added = !first && g->chain,
               goes_on = !first && !g->chain && !scaled;
    __m512 sum[MAX_C];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++)
            sum[i * panels + v] = goes_on ? _mm512_loadu_ps(c + i * ldc + v * GEMM_NR) : _mm512_setzero_ps();
    int p = 0;
    for (; p + depth <= k; p += depth, a += depth, b += step)
        multiply(g, a, b, sum, dtype, paired, rows, panels, depth);
    if (p < k)
        multiply(g, a, b, sum, dtype, paired, rows, panels, 1);
#pragma GCC unroll 12
    for (int i = 0; i < rows && is_added; i++)
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++)
            sum[i * panels + v] = _mm512_add_ps(_mm512_loadu_ps(c + i * ldc + v * GEMM_NR), sum[i * panels + v]);
    if (scaled)
        factors_apply_512(g->factors, row, column, c, ldc, first, sum, rows, panels);
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++)
            _mm512_storeu_ps(c + i * ldc + v * GEMM_NR, sum[i * panels + v]);
}

#include "gemm/x86/float_table.h"

const struct float_kernel float_avx512 = FLOAT_TABLE("avx512", CPU_AVX512);
