/*
 * quant_i8_avx512.c - int8 x int8 with AVX-512 and its VNNI: as in quant_i8_avx2.c two rows of k at a time, but one
 * instruction multiplies 16 pairs and adds them to their sums, modulo 2^32.
 */
#include "gemm/quant_avx2.h"

#if defined(__x86_64__)

#include <string.h>

#include "base/avx512.h"

enum {
    MAX_ROWS = 12,
    MAX_PANELS = 8,
    MAX_C = 24, /* registers of C; B takes 2, or one for each panel where rows are few */
    PREFETCH = 3072
};

/* Most panels side by side, by the rows of the tile. */
static const int widest[MAX_ROWS + 1] = {0, 8, 4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2};

/* Two rows of k of one panel, column by column, widened. */
AVX2_INLINE __m512i load_pairs(const int8_t *at, ptrdiff_t k_stride, bool paired)
{
    if (paired)
        return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)at));
    const __m128i first = _mm_loadu_si128((const __m128i *)(const void *)at);
    const __m128i second = _mm_loadu_si128((const __m128i *)(const void *)(at + k_stride));
    return _mm512_cvtepi8_epi16(_mm256_set_m128i(_mm_unpackhi_epi8(first, second), _mm_unpacklo_epi8(first, second)));
}

/* The last row of an odd k, in pairs with zeros. */
AVX2_INLINE __m512i load_last(const int8_t *at)
{
    const __m256i row = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)at));
    return _mm512_cvtepu16_epi32(row);
}

AVX2_INLINE __m512i load_left(const int16_t *a)
{
    int32_t pair;
    memcpy(&pair, a, sizeof pair);
    return _mm512_set1_epi32(pair);
}

AVX2_INLINE void micro(const struct quant_i8_block *g, const int16_t *a, const int8_t *b, int32_t *c, ptrdiff_t ldc,
                       bool paired, int rows, int panels)
{
    const ptrdiff_t lda = g->lda, k_stride = paired ? GEMM_NR : g->k_stride, panel_stride = g->panel_stride;
    const int k = g->k;
    __m512i sum[MAX_C], right[MAX_PANELS];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++)
            sum[i * panels + v] =
                g->first ? _mm512_setzero_si512() : _mm512_loadu_si512(c + i * ldc + (ptrdiff_t)v * GEMM_NR);
    for (int p = 0; p + 1 < k; p += 2, a += 2, b += 2 * k_stride) {
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++) {
            avx2_prefetch(b + v * panel_stride, PREFETCH);
            right[v] = load_pairs(b + v * panel_stride, k_stride, paired);
        }
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++) {
            const __m512i left = load_left(a + i * lda);
#pragma GCC unroll 8
            for (int v = 0; v < panels; v++)
                sum[i * panels + v] = _mm512_dpwssd_epi32(sum[i * panels + v], left, right[v]);
        }
    }
    if (k % 2) {
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
            for (int v = 0; v < panels; v++)
                sum[i * panels + v] = _mm512_dpwssd_epi32(sum[i * panels + v], _mm512_set1_epi32(a[i * lda]),
                                                          load_last(b + v * panel_stride));
    }
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++)
            _mm512_storeu_si512(c + i * ldc + (ptrdiff_t)v * GEMM_NR, sum[i * panels + v]);
}

/* Every shape that `widest` allows. */
/* clang-format off */
#define SHAPES(X, paired)                                                                            \
    X(paired, 1, 1) X(paired, 1, 2) X(paired, 1, 3) X(paired, 1, 4) X(paired, 1, 5) X(paired, 1, 6)  \
    X(paired, 1, 7) X(paired, 1, 8) X(paired, 2, 1) X(paired, 2, 2) X(paired, 2, 3) X(paired, 2, 4)  \
    X(paired, 3, 1) X(paired, 3, 2) X(paired, 3, 3) X(paired, 4, 1) X(paired, 4, 2) X(paired, 5, 1)  \
    X(paired, 5, 2) X(paired, 6, 1) X(paired, 6, 2) X(paired, 7, 1) X(paired, 7, 2) X(paired, 8, 1)  \
    X(paired, 8, 2) X(paired, 9, 1) X(paired, 9, 2) X(paired, 10, 1) X(paired, 10, 2)                \
    X(paired, 11, 1) X(paired, 11, 2) X(paired, 12, 1) X(paired, 12, 2)
/* clang-format on */

#include "gemm/quant_i8_walk.h"

void quant_i8_block_avx512(const struct quant_i8_block *g)
{
    walk(g);
}

#endif
