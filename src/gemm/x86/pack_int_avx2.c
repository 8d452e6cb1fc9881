/* SPDX-License-Identifier: MIT */
/*
 * pack_int_avx2.c - packing of int8 and int4 with AVX2. int8 moves rows of 16 bytes, or transposes 16 x 16 of them.
 * int4 takes two rows of k at a time, whose bytes hold two columns, and makes bytes that hold two rows. In the
 * transposed view bytes hold two rows already, and are packed like int8.
 */
#include "gemm/x86/pack_avx2.h"

#include <string.h>

#include "base/x86/avx2.h"

enum {
    PREFETCH_ROWS = 8,    /* kn: rows ahead */
    PREFETCH_BYTES = 512, /* nk: ahead in each column */
    LINE_NIBBLES = 128,
    SQUARE = 16,
    HALF = GEMM_NR / 2
};

void pack_kn8_avx2(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    const char *row = src;
    char *to = dst;
    const ptrdiff_t panel_bytes = (ptrdiff_t)k * GEMM_NR;
    for (int p = 0; p < k; p++, row += ld, to += GEMM_NR) {
        int j = 0;
        for (; j + GEMM_NR <= n; j += GEMM_NR) {
            prefetch_ahead(row + j, PREFETCH_ROWS * ld);
            memcpy(to + j / GEMM_NR * panel_bytes, row + j, GEMM_NR);
        }
        if (j < n) {
            char *last = to + j / GEMM_NR * panel_bytes;
            memset(last, 0, GEMM_NR);
            memcpy(last, row + j, (size_t)(n - j));
        }
    }
}

/* The rows of k from p on of one panel, byte by byte; zeros from column n on. */
static void transpose_edge(const char *src, ptrdiff_t ld, int p, int k, int n, char *dst)
{
    for (; p < k; p++)
        for (int j = 0; j < GEMM_NR; j++)
            dst[p * GEMM_NR + j] = (char)(j < n ? src[j * ld + p] : 0);
}

/* 16 rows of k by 16 columns: each round interleaves rows i and i + 8, and four rounds swap the two indices. */
ALWAYS_INLINE void transpose(const char *src, ptrdiff_t ld, char *dst)
{
    __m128i from[SQUARE], to[SQUARE];
    for (int j = 0; j < SQUARE; j++)
        from[j] = _mm_loadu_si128((const __m128i *)(const void *)(src + j * ld));
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < SQUARE / 2; i++) {
            to[2 * i] = _mm_unpacklo_epi8(from[i], from[i + SQUARE / 2]);
            to[2 * i + 1] = _mm_unpackhi_epi8(from[i], from[i + SQUARE / 2]);
        }
        memcpy(from, to, sizeof from);
    }
    for (int p = 0; p < SQUARE; p++)
        _mm_storeu_si128((__m128i *)(void *)(dst + p * GEMM_NR), from[p]);
}

void pack_nk8_avx2(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    const char *columns = src;
    char *panel = dst;
    for (int j0 = 0; j0 < n; j0 += GEMM_NR, columns += GEMM_NR * ld, panel += (ptrdiff_t)k * GEMM_NR) {
        int p = 0;
        for (; j0 + GEMM_NR <= n && p + SQUARE <= k; p += SQUARE) {
            for (int j = 0; j < GEMM_NR; j++)
                prefetch_ahead(columns + j * ld + p, PREFETCH_BYTES);
            transpose(columns + p, ld, panel + (ptrdiff_t)p * GEMM_NR);
        }
        transpose_edge(columns, ld, p, k, n - j0, panel);
    }
}

/* Loads 16 columns of a row of int4, two in a byte; only the first `bytes` of its 8 bytes exist. */
ALWAYS_INLINE __m128i load_columns(const char *row, int bytes)
{
    if (bytes == HALF)
        return _mm_loadl_epi64((const __m128i *)(const void *)row);
    uint64_t columns = 0;
    memcpy(&columns, row, (size_t)bytes);
    return _mm_cvtsi64_si128((long long)columns);
}

/* 16 columns of two rows of k into a pair of rows of a panel. */
ALWAYS_INLINE __m128i pair_up(__m128i even_row, __m128i odd_row)
{
    const __m128i low = _mm_set1_epi8(0x0f);
    const __m128i even_columns =
        _mm_or_si128(_mm_and_si128(even_row, low), _mm_slli_epi16(_mm_and_si128(odd_row, low), 4));
    const __m128i odd_columns =
        _mm_or_si128(_mm_and_si128(_mm_srli_epi16(even_row, 4), low), _mm_andnot_si128(low, odd_row));
    return _mm_unpacklo_epi8(even_columns, odd_columns);
}

void pack_kn4_avx2(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    const ptrdiff_t row_bytes = ld / 2, panel_bytes = gemm_bytes(MMARN_I4, gemm_panel(MMARN_I4, k));
    char *to = dst;
    for (int p = 0; p < k; p += 2, to += GEMM_NR)
        for (int j = 0; j < n; j += GEMM_NR) {
            const char *at = (const char *)src + p * row_bytes + j / 2;
            const int bytes = j + GEMM_NR <= n ? HALF : (n - j) / 2;
            if (j % LINE_NIBBLES == 0) {
                prefetch_ahead(at, PREFETCH_ROWS * row_bytes);
                prefetch_ahead(at, (PREFETCH_ROWS + 1) * row_bytes);
            }
            const __m128i odd_row = p + 1 < k ? load_columns(at + row_bytes, bytes) : _mm_setzero_si128();
            const __m128i pair = pair_up(load_columns(at, bytes), odd_row);
            _mm_storeu_si128((__m128i *)(void *)(to + j / GEMM_NR * panel_bytes), pair);
        }
}

/* A byte holds two rows of k of one column, in the source and in a panel. */
void pack_nk4_avx2(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    pack_nk8_avx2(src, ld / 2, k / 2, n, dst);
}
