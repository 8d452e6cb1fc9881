/*
 * dot_avx512bf16.c - pairs of bf16 by vdpbf16ps on 512-bit registers. One register is a pair of rows of a panel, and a
 * tile of C has the shapes of gemm_avx512.c. Whatever MXCSR says, the instruction adds the product of the upper halves
 * to the sum, then that of the lower ones, rounding each to nearest even and flushing subnormal numbers.
 */
#include "gemm/dot.h"

#if defined(__x86_64__)

#include "base/avx2.h"
#include "base/cpu.h"
#include "gemm/gemm_edge.h"

enum {
    MAX_ROWS = 12,
    MAX_PANELS = 8,
    MAX_C = 24, /* registers of C; B takes 2, or one for each panel where rows are few */
    PREFETCH = 3072
};

/* Most panels side by side, by the rows of the tile. 8 chains hide the latency; the rest are streams from memory. */
static const int widest[MAX_ROWS + 1] = {0, 8, 8, 6, 6, 4, 4, 3, 3, 2, 2, 2, 2};

/* One register tile: a, b and c point at its first row and column. */
AVX2_INLINE void micro(const struct dot_block *g, const uint32_t *a, const uint32_t *b, float *c, ptrdiff_t ldc,
                       int rows, int panels)
{
    const ptrdiff_t lda = g->lda, panel_stride = g->panel_stride;
    const int k = g->k;
    __m512 sum[MAX_C];
    __m512bh right[MAX_PANELS];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++)
            sum[i * panels + v] = g->first ? _mm512_setzero_ps() : _mm512_loadu_ps(c + i * ldc + v * GEMM_NR);
    for (int q = 0; q < k; q++, a++, b += GEMM_NR) {
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++) {
            avx2_prefetch(b + v * panel_stride, PREFETCH);
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
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++)
            _mm512_storeu_ps(c + i * ldc + v * GEMM_NR, sum[i * panels + v]);
}

typedef void micro_fn(const struct dot_block *g, const uint32_t *a, const uint32_t *b, float *c, ptrdiff_t ldc);

/* Every shape that `widest` allows. */
/* clang-format off */
#define UP_TO_2(X, rows) X(rows, 1) X(rows, 2)
#define UP_TO_3(X, rows) UP_TO_2(X, rows) X(rows, 3)
#define UP_TO_4(X, rows) UP_TO_3(X, rows) X(rows, 4)
#define UP_TO_6(X, rows) UP_TO_4(X, rows) X(rows, 5) X(rows, 6)
#define UP_TO_8(X, rows) UP_TO_6(X, rows) X(rows, 7) X(rows, 8)
#define SHAPES(X)                                                                 \
    UP_TO_8(X, 1) UP_TO_8(X, 2) UP_TO_6(X, 3) UP_TO_6(X, 4)                       \
    UP_TO_4(X, 5) UP_TO_4(X, 6) UP_TO_3(X, 7) UP_TO_3(X, 8)                       \
    UP_TO_2(X, 9) UP_TO_2(X, 10) UP_TO_2(X, 11) UP_TO_2(X, 12)
/* clang-format on */
#define DEFINE(rows, panels)                                                                                           \
    static void micro_##rows##x##panels(const struct dot_block *g, const uint32_t *a, const uint32_t *b, float *c,     \
                                        ptrdiff_t ldc)                                                                 \
    {                                                                                                                  \
        micro(g, a, b, c, ldc, rows, panels);                                                                          \
    }
#define ENTRY(rows, panels) [rows][panels] = micro_##rows##x##panels,
SHAPES(DEFINE)
static micro_fn *const micros[MAX_ROWS + 1][MAX_PANELS + 1] = {SHAPES(ENTRY)};

/* The last columns, through a buffer. */
static void ragged(const struct dot_block *g, micro_fn *kernel, const uint32_t *a, const uint32_t *b, float *c,
                   int rows)
{
    float whole[MAX_ROWS * GEMM_NR] = {0};
    const int columns = g->n % GEMM_NR;
    if (!g->first)
        gemm_edge_copy(c, g->ldc, whole, GEMM_NR, rows, columns);
    kernel(g, a, b, whole, GEMM_NR);
    gemm_edge_copy(whole, GEMM_NR, c, g->ldc, rows, columns);
}

/* Panels outside, rows inside: panels are fetched once and stay in the caches for all rows. */
static void block(const struct dot_block *g)
{
    const int full = g->n / GEMM_NR, tallest = avx2_piece(g->m, MAX_ROWS);
    for (int panel = 0, panels; panel * GEMM_NR < g->n; panel += panels) {
        panels = panel < full ? avx2_piece(full - panel, widest[tallest]) : 1;
        const uint32_t *b = g->b + panel * g->panel_stride;
        for (int i = 0, rows; i < g->m; i += rows) {
            rows = avx2_piece(g->m - i, MAX_ROWS);
            micro_fn *kernel = micros[rows][panels];
            const uint32_t *a = g->a + i * g->lda;
            float *c = g->c + i * g->ldc + (ptrdiff_t)panel * GEMM_NR;
            if (panel < full)
                kernel(g, a, b, c, g->ldc);
            else
                ragged(g, kernel, a, b, c, rows);
        }
    }
}

/* One below the magnitude: zeros become the largest number there is. */
static unsigned lowest(const uint32_t *pairs, ptrdiff_t count)
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

const struct dot_kernel dot_avx512bf16 = {
    .name = "avx512bf16",
    .needs = CPU_AVX512 | CPU_AVX512BF16,
    .block = block,
    .lowest = lowest,
    .pair = pair,
};

#endif
