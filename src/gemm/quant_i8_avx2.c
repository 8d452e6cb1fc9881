/*
 * quant_i8_avx2.c - int8 x int8 with AVX2. Two rows of k at a time: their weights are widened to int16 and interleaved,
 * and each product-and-add of int16 pairs gives the exact sum of two products in 32 bits (at most 2 * 128 * 128).
 * Interleaving works within halves of a register, so a panel's two registers hold columns 0-3, 8-11 and 4-7, 12-15;
 * they are put right when C is read and written.
 */
#include "gemm/quant_avx2.h"

#if defined(__x86_64__)

#include <string.h>

#include "base/avx2.h"

enum {
    VECTOR = 8,
    MAX_ROWS = 6, /* 6 x 2 registers of C, 2 of B, 1 of A, 1 for products */
    MAX_PANELS = 4,
    MAX_C = 12,
    PREFETCH = 3072
};

/* Most panels side by side, by the rows of the tile. Addition takes one cycle, so that few sums keep it busy. */
static const int widest[MAX_ROWS + 1] = {0, 4, 2, 1, 1, 1, 1};

/* One register tile: a, b and c point at its first row and column. */
typedef void micro_fn(const struct quant_i8_block *g, const int16_t *a, const int8_t *b, int32_t *c, ptrdiff_t ldc);

AVX2_INLINE __m256i load(const void *src)
{
    return _mm256_loadu_si256(src);
}

AVX2_INLINE __m256i widened_row(const int8_t *row)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)row));
}

/* Columns 0-7 and 8-15 into the order of the interleaved weights, and, by the same steps, back. */
AVX2_INLINE void reorder(__m256i *low, __m256i *high)
{
    __m256i first = _mm256_permute2x128_si256(*low, *high, 0x20);
    *high = _mm256_permute2x128_si256(*low, *high, 0x31);
    *low = first;
}

/* Adds the products of one pair of rows of k; second is zero when k has no second one. */
AVX2_INLINE void step(__m256i *sum, __m256i first, __m256i second, const __m256i *left, int rows, int across)
{
    __m256i low = _mm256_unpacklo_epi16(first, second), high = _mm256_unpackhi_epi16(first, second);
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        sum[i * across] = _mm256_add_epi32(sum[i * across], _mm256_madd_epi16(left[i], low));
        sum[i * across + 1] = _mm256_add_epi32(sum[i * across + 1], _mm256_madd_epi16(left[i], high));
    }
}

AVX2_INLINE void micro(const struct quant_i8_block *g, const int16_t *a, const int8_t *b, int32_t *c, ptrdiff_t ldc,
                       int rows, int panels)
{
    const ptrdiff_t lda = g->lda, k_stride = g->k_stride, panel_stride = g->panel_stride;
    const int k = g->k, across = 2 * panels;
    __m256i sum[MAX_C], left[MAX_ROWS];
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < across; v += 2) {
            __m256i *pair = &sum[i * across + v];
            pair[0] = g->first ? _mm256_setzero_si256() : load(c + i * ldc + v * VECTOR);
            pair[1] = g->first ? _mm256_setzero_si256() : load(c + i * ldc + v * VECTOR + VECTOR);
            reorder(&pair[0], &pair[1]);
        }
    for (int p = 0; p + 1 < k; p += 2, a += 2, b += 2 * k_stride) {
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            int32_t pair;
            memcpy(&pair, a + i * lda, sizeof pair);
            left[i] = _mm256_set1_epi32(pair);
        }
#pragma GCC unroll 4
        for (int v = 0; v < panels; v++) {
            const int8_t *at = b + v * panel_stride;
            avx2_prefetch(at, PREFETCH);
            step(&sum[2 * v], widened_row(at), widened_row(at + k_stride), left, rows, across);
        }
    }
    if (k % 2) {
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++)
            left[i] = _mm256_set1_epi32((uint16_t)a[i * lda]);
#pragma GCC unroll 4
        for (int v = 0; v < panels; v++)
            step(&sum[2 * v], widened_row(b + v * panel_stride), _mm256_setzero_si256(), left, rows, across);
    }
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < across; v += 2) {
            __m256i *pair = &sum[i * across + v];
            reorder(&pair[0], &pair[1]);
            _mm256_storeu_si256((__m256i *)(void *)(c + i * ldc + v * VECTOR), pair[0]);
            _mm256_storeu_si256((__m256i *)(void *)(c + i * ldc + v * VECTOR + VECTOR), pair[1]);
        }
}

/* Every shape that `widest` allows. */
/* clang-format off */
#define SHAPES(X)                            \
    X(1, 1) X(1, 2) X(1, 3) X(1, 4)          \
    X(2, 1) X(2, 2)                          \
    X(3, 1) X(4, 1) X(5, 1) X(6, 1)
/* clang-format on */
#define DEFINE(rows, panels)                                                                                           \
    static void micro_##rows##x##panels(const struct quant_i8_block *g, const int16_t *a, const int8_t *b, int32_t *c, \
                                        ptrdiff_t ldc)                                                                 \
    {                                                                                                                  \
        micro(g, a, b, c, ldc, rows, panels);                                                                          \
    }
#define ENTRY(rows, panels) [rows][panels] = micro_##rows##x##panels,
SHAPES(DEFINE)
static micro_fn *const micros[MAX_ROWS + 1][MAX_PANELS + 1] = {SHAPES(ENTRY)};

/* The last columns, fewer than a panel: the tile goes through a buffer, so that no column beyond n is touched. */
static void ragged(const struct quant_i8_block *g, micro_fn *kernel, const int16_t *a, const int8_t *b, int32_t *c,
                   int rows)
{
    int32_t whole[MAX_ROWS * GEMM_NR] = {0};
    size_t bytes = (size_t)(g->n % GEMM_NR) * sizeof *c;
    for (int i = 0; i < rows && !g->first; i++)
        memcpy(whole + (ptrdiff_t)i * GEMM_NR, c + i * g->ldc, bytes);
    kernel(g, a, b, whole, GEMM_NR);
    for (int i = 0; i < rows; i++)
        memcpy(c + i * g->ldc, whole + (ptrdiff_t)i * GEMM_NR, bytes);
}

/* Panels outside, rows inside, as in gemm_avx2.c. */
void quant_i8_block_avx2(const struct quant_i8_block *g)
{
    const int full = g->n / GEMM_NR, tallest = avx2_piece(g->m, MAX_ROWS);
    for (int panel = 0, panels; panel * GEMM_NR < g->n; panel += panels) {
        panels = panel < full ? avx2_piece(full - panel, widest[tallest]) : 1;
        const int8_t *b = g->b + panel * g->panel_stride;
        for (int i = 0, rows; i < g->m; i += rows) {
            rows = avx2_piece(g->m - i, MAX_ROWS);
            const int16_t *a = g->a + i * g->lda;
            int32_t *c = g->c + i * g->ldc + (ptrdiff_t)panel * GEMM_NR;
            if (panel < full)
                micros[rows][panels](g, a, b, c, g->ldc);
            else
                ragged(g, micros[rows][1], a, b, c, rows);
        }
    }
}

#endif
