/* SPDX-License-Identifier: MIT */
/*
 * quant_avx512bf16.c - multiplies rows of x1 in bf16 with int4 weights by vdpbf16ps. A register of a panel is 8 rows of
 * 16 columns; a shift brings a pair of rows to the ends of the two halves of each word, and a permutation looks both up
 * in a table of bf16. It reads five bits of its index: the table has each value twice, because the fifth is another
 * row's. int8 takes as many instructions in this way as in fp32 (quant_avx512.c).
 */
#include <immintrin.h>

#include "base/compiler.h"
#include "base/cpu.h"
#include "gemm/kernel/quant_kernel.h"
#include "gemm/kernel/walk.h"
#include "gemm/x86/factors_x86.h"

enum { MAX_ROWS = 8, MAX_PANELS = 8, MAX_C = 24, PAIRS = GEMM_I4_ROWS / 2, LINE = 64 };

/* Most panels side by side, by the rows of the tile: 8 chains hide the latency. */
/* clang-format off */
#define WIDEST(ROW, ...)                                                                        \
    ROW(1, 8, __VA_ARGS__) ROW(2, 6, __VA_ARGS__) ROW(3, 4, __VA_ARGS__) ROW(4, 4, __VA_ARGS__) \
    ROW(5, 4, __VA_ARGS__) ROW(6, 4, __VA_ARGS__) ROW(7, 2, __VA_ARGS__) ROW(8, 2, __VA_ARGS__)
/* clang-format on */

/* -8 .. 7 in bf16, by their four bits, twice. */
static const uint16_t values[32] = {
    0x0000, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0, 0x40e0, 0xc100, 0xc0e0, 0xc0c0,
    0xc0a0, 0xc080, 0xc040, 0xc000, 0xbf80, 0x0000, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0,
    0x40c0, 0x40e0, 0xc100, 0xc0e0, 0xc0c0, 0xc0a0, 0xc080, 0xc040, 0xc000, 0xbf80,
};

/* Adds the products of pair q of the rows in each line. */
ALWAYS_INLINE void multiply(const struct quant_block *g, const uint32_t *a, int q, __m512i *words, __m512i table,
                            __m512 *sum, int rows, int panels)
{
#pragma GCC unroll 8
    for (int v = 0; v < panels; v++) {
        const __m512bh w = (__m512bh)_mm512_permutexvar_epi16(words[v], table);
        words[v] = _mm512_srli_epi32(words[v], 4);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++)
            sum[i * panels + v] =
                _mm512_dpbf16_ps(sum[i * panels + v], (__m512bh)_mm512_set1_epi32((int)a[i * g->lda + q]), w);
    }
}

/* One register tile: a, b and c point at its first row and column. */
ALWAYS_INLINE void micro(const struct quant_block *g, int row, int column, const uint32_t *a, const char *b, float *c,
                         ptrdiff_t ldc, int rows, int panels)
{
    const ptrdiff_t panel_bytes = gemm_bytes(MMARN_I4, g->panel_stride);
    const __m512i table = _mm512_loadu_si512(values);
    __m512 sum[MAX_C];
    __m512i words[MAX_PANELS];
#pragma GCC unroll 24
    for (int i = 0; i < rows * panels; i++)
        sum[i] = _mm512_setzero_ps();
    for (int k = g->k; k > 0; k -= GEMM_I4_ROWS, a += PAIRS, b += LINE) {
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++) {
            prefetch_ahead(b + v * panel_bytes, g->ahead);
            words[v] = _mm512_loadu_si512(b + v * panel_bytes);
        }
        if (k >= GEMM_I4_ROWS) {
#pragma GCC unroll 4
            for (int q = 0; q < PAIRS; q++)
                multiply(g, a, q, words, table, sum, rows, panels);
        } else {
            for (int q = 0; q < (k + 1) / 2; q++)
                multiply(g, a, q, words, table, sum, rows, panels);
        }
    }
    factors_apply_512(&g->factors, row, column, c, ldc, g->first, sum, rows, panels);
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++)
            _mm512_storeu_ps(c + i * ldc + v * GEMM_NR, sum[i * panels + v]);
}

#define DEFINE(rows, panels, _)                                                                                        \
    WALK_MICRO(micro_##rows##x##panels)                                                                                \
    {                                                                                                                  \
        micro(block, row, column, a, b, c, ldc, rows, panels);                                                         \
    }
#define ENTRY(rows, panels, _) [rows][panels] = micro_##rows##x##panels,
WIDEST(WALK_SHAPES, DEFINE, _)
static walk_micro_fn *const micros[MAX_ROWS + 1][MAX_PANELS + 1] = {WIDEST(WALK_SHAPES, ENTRY, _)};
static const int widest[MAX_ROWS + 1] = {0, WIDEST(WALK_MOST, _)};
static const struct walk_shapes shapes = {MAX_ROWS, MAX_PANELS, widest};

static void few_pairs_i4(const struct quant_block *g)
{
    const struct walk tiles = WALK_OVER(g, sizeof(uint32_t), gemm_bytes(MMARN_I4, g->panel_stride));
    walk(&tiles, &shapes, micros[0]);
}

const struct quant_kernel quant_avx512bf16 = {
    .name = "avx512bf16",
    .needs = CPU_AVX512 | CPU_AVX512BF16,
    .few_pairs = {[MMARN_I4] = few_pairs_i4},
};
