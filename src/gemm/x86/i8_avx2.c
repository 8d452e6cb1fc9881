/* SPDX-License-Identifier: MIT */
/*
 * i8_avx2.c - int8 x int8 with AVX2. It takes two rows of k at a time: their weights, interleaved, are widened to
 * int16, and each product-and-add of int16 pairs gives the exact sum of two products in 32 bits (at most 2 * 128 *
 * 128). Packed panels are interleaved beforehand: row 2 q, column j at byte 32 q + 2 j, followed by row 2 q + 1; the
 * last row of an odd k is unchanged. In other weights the kernel interleaves two rows as it goes.
 */
#include "gemm/kernel/i8_kernel.h"

#include <string.h>

#include "base/cpu.h"
#include "base/x86/avx2.h"

enum {
    VECTOR = 8,
    MAX_ROWS = 6, /* 6 x 2 registers of C, 2 of B, 1 of A, 1 for products */
    MAX_PANELS = 4,
    MAX_C = 12,
    PREFETCH = 3072
};

/* Most panels side by side, by the rows of the tile. Addition takes one cycle, so few sums keep it busy. */
/* clang-format off */
#define WIDEST(ROW, ...)                                                                        \
    ROW(1, 4, __VA_ARGS__) ROW(2, 2, __VA_ARGS__) ROW(3, 1, __VA_ARGS__) ROW(4, 1, __VA_ARGS__) \
    ROW(5, 1, __VA_ARGS__) ROW(6, 1, __VA_ARGS__)
/* clang-format on */

ALWAYS_INLINE __m256i load(const void *src)
{
    return _mm256_loadu_si256(src);
}

/* Two rows of k of one panel, widened: columns 0-7 in pairs, and columns 8-15. */
struct pairs {
    __m256i low, high;
};

ALWAYS_INLINE struct pairs load_pairs(const int8_t *at, ptrdiff_t k_stride, bool paired)
{
    const __m128i first = _mm_loadu_si128((const __m128i *)(const void *)at);
    const __m128i second = _mm_loadu_si128((const __m128i *)(const void *)(at + (paired ? GEMM_NR : k_stride)));
    if (paired)
        return (struct pairs){_mm256_cvtepi8_epi16(first), _mm256_cvtepi8_epi16(second)};
    return (struct pairs){_mm256_cvtepi8_epi16(_mm_unpacklo_epi8(first, second)),
                          _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(first, second))};
}

/* The last row of an odd k, in pairs with zeros. */
ALWAYS_INLINE struct pairs load_last(const int8_t *at)
{
    const __m128i row = _mm_loadu_si128((const __m128i *)(const void *)at), zero = _mm_setzero_si128();
    return (struct pairs){_mm256_cvtepi8_epi16(_mm_unpacklo_epi8(row, zero)),
                          _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(row, zero))};
}

/* Adds the products of one pair of rows of k. */
ALWAYS_INLINE void step(__m256i *sum, struct pairs right, const __m256i *left, int rows, int across)
{
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        sum[i * across] = _mm256_add_epi32(sum[i * across], _mm256_madd_epi16(left[i], right.low));
        sum[i * across + 1] = _mm256_add_epi32(sum[i * across + 1], _mm256_madd_epi16(left[i], right.high));
    }
}

ALWAYS_INLINE void micro(const struct i8_block *g, const int32_t *starts, const int16_t *a, const int8_t *b, int32_t *c,
                         ptrdiff_t ldc, bool paired, int rows, int panels)
{
    (void)starts;
    const ptrdiff_t lda = g->lda, k_stride = g->k_stride, panel_stride = g->panel_stride;
    const int k = g->k, across = 2 * panels;
    __m256i sum[MAX_C], left[MAX_ROWS];
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < across; v++)
            sum[i * across + v] = g->first ? _mm256_setzero_si256() : load(c + i * ldc + v * VECTOR);
    for (int p = 0; p + 1 < k; p += 2, a += 2, b += 2 * (paired ? GEMM_NR : k_stride)) {
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            int32_t pair;
            memcpy(&pair, a + i * lda, sizeof pair);
            left[i] = _mm256_set1_epi32(pair);
        }
#pragma GCC unroll 4
        for (int v = 0; v < panels; v++) {
            const int8_t *at = b + v * panel_stride;
            prefetch_ahead(at, PREFETCH);
            step(&sum[2 * v], load_pairs(at, k_stride, paired), left, rows, across);
        }
    }
    if (k % 2) {
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++)
            left[i] = _mm256_set1_epi32((uint16_t)a[i * lda]);
#pragma GCC unroll 4
        for (int v = 0; v < panels; v++)
            step(&sum[2 * v], load_last(b + v * panel_stride), left, rows, across);
    }
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < across; v++)
            _mm256_storeu_si256((__m256i *)(void *)(c + i * ldc + v * VECTOR), sum[i * across + v]);
}

#include "gemm/x86/i8_table.h"

static void block(const struct i8_block *g)
{
    run(g, NULL, sizeof(int16_t));
}

static void interleave(int8_t *panel, int k)
{
    for (int p = 0; p + 1 < k; p += 2, panel += 2 * GEMM_NR) {
        __m128i *at = (__m128i *)(void *)panel;
        const __m128i first = _mm_loadu_si128(at), second = _mm_loadu_si128(at + 1);
        _mm_storeu_si128(at, _mm_unpacklo_epi8(first, second));
        _mm_storeu_si128(at + 1, _mm_unpackhi_epi8(first, second));
    }
}

const struct i8_kernel i8_avx2 = {
    .name = "avx2",
    .needs = CPU_AVX2,
    .block = block,
    .x1 = I8_X1_WIDENED,
    .interleave = interleave,
};
