/* SPDX-License-Identifier: MIT */
/*
 * bf16_avx512bf16.c - multiplies pairs of bf16 by vdpbf16ps on 512-bit registers. One register is a pair of rows of a
 * panel, and a tile of C has the shapes of float_avx512.c. Whatever MXCSR says, the instruction adds the product of the
 * upper halves to the sum, then that of the lower halves; it rounds each to nearest even and flushes subnormal numbers.
 */
#include "gemm/kernel/bf16_kernel.h"

#include <immintrin.h>

#include "base/compiler.h"
#include "base/cpu.h"
#include "gemm/kernel/walk.h"
#include "gemm/x86/factors_x86.h"

enum {
    MAX_ROWS = 12,
    MAX_PANELS = 8,
    MAX_C = 24, /* registers of C; B takes 2, or one for each panel if rows are few */
    PREFETCH = 3072
};

/* Most panels side by side, by the rows of the tile. 8 chains hide the latency; the rest are streams from memory. */
/* clang-format off */
#define WIDEST(ROW, ...)                                                                          \
    ROW(1, 8, __VA_ARGS__) ROW(2, 8, __VA_ARGS__) ROW(3, 6, __VA_ARGS__) ROW(4, 6, __VA_ARGS__)   \
    ROW(5, 4, __VA_ARGS__) ROW(6, 4, __VA_ARGS__) ROW(7, 3, __VA_ARGS__) ROW(8, 3, __VA_ARGS__)   \
    ROW(9, 2, __VA_ARGS__) ROW(10, 2, __VA_ARGS__) ROW(11, 2, __VA_ARGS__) ROW(12, 2, __VA_ARGS__)
/* clang-format on */

/* One register tile: a, b and c point at its first row and column. */
ALWAYS_INLINE void micro(const struct bf16_block *g, int row, int column, const uint32_t *a, const uint32_t *b,
                         float *c, ptrdiff_t ldc, int rows, int panels)
{
    const ptrdiff_t lda = g->lda, panel_stride = g->panel_stride;
    const int k = g->k;
    const bool scaled = g->factors;
    __m512 sum[MAX_C];
    __m512bh right[MAX_PANELS];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++)
            sum[i * panels + v] = g->first || scaled ? _mm512_setzero_ps() : _mm512_loadu_ps(c + i * ldc + v * GEMM_NR);
    for (int q = 0; q < k; q++, a++, b += GEMM_NR) {
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++) {
            prefetch_ahead(b + v * panel_stride, PREFETCH);
            right[v] = (__m512bh)_mm512_loadu_si512(b + v * panel_stride);
        }
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++) {
            const __m512bh left = (__m512bh)_mm512_set1_epi32((int)a[i * lda]);
#pragma GCC unroll 8
            for (int v = 0; v < panels; v++)
                sum[i * panels + v] = _mm512_dpbf16_ps(sum[i * panels + v], left, right[v]);
        }
    }
    if (scaled)
        factors_apply_512(g->factors, row, column, c, ldc, g->first, sum, rows, panels);
#pragma GCC unroll 12
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

static void block(const struct bf16_block *g)
{
    const struct walk tiles = WALK_OVER(g, sizeof *g->a, g->panel_stride * (ptrdiff_t)sizeof *g->b);
    walk(&tiles, &shapes, micros[0]);
}

/* Subtracts one from the magnitude, so that zeros become the largest number. */
static unsigned min_exponent(const uint32_t *pairs, ptrdiff_t count)
{
    enum { VECTOR = 16 };
    const __m512i magnitude = _mm512_set1_epi16(0x7fff), one = _mm512_set1_epi16(1);
    __m512i least = _mm512_set1_epi16(-1);
    for (ptrdiff_t at = 0; at < count; at += VECTOR) {
        const __mmask16 there = count - at < VECTOR ? (__mmask16)((1u << (count - at)) - 1) : (__mmask16)-1;
        const __m512i numbers = _mm512_maskz_loadu_epi32(there, pairs + at);
        least = _mm512_min_epu16(least, _mm512_sub_epi16(_mm512_and_si512(numbers, magnitude), one));
    }
    const __m512i both =
        _mm512_min_epu32(_mm512_and_si512(least, _mm512_set1_epi32(0xffff)), _mm512_srli_epi32(least, 16));
    return (_mm512_reduce_min_epu32(both) + 1) >> 7;
}

static void pair(const float *rows, int k, uint32_t *pairs)
{
    for (int p = 0; p < k; p += 2, rows += 2 * GEMM_NR, pairs += GEMM_NR) {
        const __m512i first = _mm512_castps_si512(_mm512_loadu_ps(rows));
        const __m512i second =
            p + 1 < k ? _mm512_castps_si512(_mm512_loadu_ps(rows + GEMM_NR)) : _mm512_setzero_si512();
        _mm512_storeu_si512(pairs, _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_srli_epi32(second, 16), first));
    }
}

const struct bf16_kernel bf16_avx512bf16 = {
    .name = "avx512bf16",
    .needs = CPU_AVX512 | CPU_AVX512BF16,
    .block = block,
    .min_exponent = min_exponent,
    .pair = pair,
};
