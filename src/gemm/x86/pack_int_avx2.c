/* SPDX-License-Identifier: MIT */
/*
 * pack_int_avx2.c - packing of int8 and int4 with AVX2. int8 moves rows of 16 bytes, or transposes 16 x 16 of them.
 * int4 takes eight rows of k at a time, whose bytes hold two columns, and makes words that hold eight rows. In the
 * transposed view words hold eight rows already, in another order.
 */
#include "gemm/x86/pack_avx2.h"

#include <string.h>

#include "base/x86/avx2.h"

enum {
    PREFETCH_ROWS = 8,    /* kn: rows ahead */
    PREFETCH_BYTES = 512, /* nk: ahead in each column */
    LINE = 64,
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

/* 16 columns of two rows: a byte for each column, whose lower four bits are the first row's. */
ALWAYS_INLINE __m128i pair_up(__m128i first_row, __m128i second_row)
{
    const __m128i low = _mm_set1_epi8(0x0f);
    const __m128i even_columns =
        _mm_or_si128(_mm_and_si128(first_row, low), _mm_slli_epi16(_mm_and_si128(second_row, low), 4));
    const __m128i odd_columns =
        _mm_or_si128(_mm_and_si128(_mm_srli_epi16(first_row, 4), low), _mm_andnot_si128(low, second_row));
    return _mm_unpacklo_epi8(even_columns, odd_columns);
}

/* 16 columns of 8 rows into a panel's words: bytes 0 and 1 of a word have the odd rows, bytes 2 and 3 the even ones. */
ALWAYS_INLINE void store_words(const __m128i *row, char *to)
{
    const __m128i first = pair_up(row[1], row[3]), second = pair_up(row[5], row[7]);
    const __m128i third = pair_up(row[0], row[2]), fourth = pair_up(row[4], row[6]);
    const __m128i odd[2] = {_mm_unpacklo_epi8(first, second), _mm_unpackhi_epi8(first, second)};
    const __m128i even[2] = {_mm_unpacklo_epi8(third, fourth), _mm_unpackhi_epi8(third, fourth)};
    for (int i = 0; i < 2; i++) {
        _mm_storeu_si128((__m128i *)(void *)to + 2 * i, _mm_unpacklo_epi16(odd[i], even[i]));
        _mm_storeu_si128((__m128i *)(void *)to + 2 * i + 1, _mm_unpackhi_epi16(odd[i], even[i]));
    }
}

void pack_kn4_avx2(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    const ptrdiff_t row_bytes = ld / 2, panel_bytes = gemm_bytes(MMARN_I4, gemm_panel(MMARN_I4, k));
    char *to = dst;
    for (int p = 0; p < k; p += GEMM_I4_ROWS, to += LINE)
        for (int j = 0; j < n; j += GEMM_NR) {
            const char *at = (const char *)src + p * row_bytes + j / 2;
            const int bytes = j + GEMM_NR <= n ? HALF : (n - j) / 2;
            __m128i row[GEMM_I4_ROWS];
            for (int i = 0; i < GEMM_I4_ROWS; i++) {
                if (j % LINE_NIBBLES == 0)
                    prefetch_ahead(at, (GEMM_I4_ROWS + i) * row_bytes);
                row[i] = p + i < k ? load_columns(at + i * row_bytes, bytes) : _mm_setzero_si128();
            }
            store_words(row, to + j / GEMM_NR * panel_bytes);
        }
}

/* From eight rows of k in their order to that of a panel's word: even rows to the upper half. */
ALWAYS_INLINE uint32_t part_rows(uint32_t word)
{
    uint32_t swap = (word ^ word >> 4) & 0x00f000f0;
    word ^= swap ^ swap << 4;
    swap = (word ^ word >> 8) & 0x0000ff00;
    word ^= swap ^ swap << 8;
    return word >> 16 | word << 16;
}

/* The source has words of eight rows of k of one column. k is even: only the last word may be short. */
void pack_nk4_avx2(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    const char *column = src;
    for (int j0 = 0; j0 < n; j0 += GEMM_NR, column += GEMM_NR * (ld / 2))
        for (int p = 0; p < k; p += GEMM_I4_ROWS, dst = (char *)dst + LINE) {
            const size_t bytes = (size_t)(k - p < GEMM_I4_ROWS ? (k - p) / 2 : GEMM_I4_ROWS / 2);
            uint32_t words[GEMM_NR] = {0};
            for (int j = 0; j < GEMM_NR && j0 + j < n; j++) {
                const char *from = column + j * (ld / 2) + p / 2;
                prefetch_ahead(from, PREFETCH_BYTES);
                if (bytes == sizeof(uint32_t))
                    memcpy(&words[j], from, sizeof(uint32_t));
                else
                    memcpy(&words[j], from, bytes);
            }
            for (int j = 0; j < GEMM_NR; j++)
                words[j] = part_rows(words[j]);
            memcpy(dst, words, sizeof words);
        }
}
