/*
 * gemm_pack_int_avx2.c - packing of int8 and int4 on an x86-64 with AVX2. int8 moves rows of 16 bytes, or transposes
 * 16 x 16 of them. int4 is rearranged a row of a panel, 8 bytes, at a time; its transposed view is packed as bytes of
 * two rows of k each, and then these are taken apart where they lie.
 */
#include "gemm/gemm_pack_avx2.h"

#if defined(__x86_64__)

#include <string.h>

#include "base/avx2.h"

enum {
    PREFETCH_ROWS = 8,    /* kn: rows ahead */
    PREFETCH_BYTES = 512, /* nk: ahead in each column */
    LINE_NIBBLES = 128,
    SQUARE = 16,
    HALF = GEMM_NR / 2
};

static const uint64_t low_nibbles = UINT64_C(0x0F0F0F0F0F0F0F0F);

void gemm_pack_kn8_avx2(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    const char *row = src;
    char *to = dst;
    const ptrdiff_t panel_bytes = (ptrdiff_t)k * GEMM_NR;
    for (int p = 0; p < k; p++, row += ld, to += GEMM_NR) {
        int j = 0;
        for (; j + GEMM_NR <= n; j += GEMM_NR) {
            avx2_prefetch(row + j, PREFETCH_ROWS * ld);
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
AVX2_INLINE void transpose(const char *src, ptrdiff_t ld, char *dst)
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

void gemm_pack_nk8_avx2(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    const char *columns = src;
    char *panel = dst;
    for (int j0 = 0; j0 < n; j0 += GEMM_NR, columns += GEMM_NR * ld, panel += (ptrdiff_t)k * GEMM_NR) {
        int p = 0;
        for (; j0 + GEMM_NR <= n && p + SQUARE <= k; p += SQUARE) {
            for (int j = 0; j < GEMM_NR; j++)
                avx2_prefetch(columns + j * ld + p, PREFETCH_BYTES);
            transpose(columns + p, ld, panel + (ptrdiff_t)p * GEMM_NR);
        }
        transpose_edge(columns, ld, p, k, n - j0, panel);
    }
}

/* Nibbles in the order of columns 0 .. 15 into that of a panel: column j beside column j + 8. */
static uint64_t reorder(uint64_t columns)
{
    const __m128i low = _mm_set1_epi8(0x0f), pairs = _mm_cvtsi64_si128((long long)columns);
    const __m128i single = _mm_unpacklo_epi8(_mm_and_si128(pairs, low), _mm_and_si128(_mm_srli_epi16(pairs, 4), low));
    const __m128i beside = _mm_unpacklo_epi8(single, _mm_srli_si128(single, HALF));
    /* low + 16 * high, in 16 bits each */
    const __m128i joined = _mm_maddubs_epi16(beside, _mm_set1_epi16(0x1001));
    return (uint64_t)_mm_cvtsi128_si64(_mm_packus_epi16(joined, joined));
}

void gemm_pack_kn4_avx2(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    const char *row = src;
    char *to = dst;
    for (int p = 0; p < k; p++, row += ld / 2, to += HALF)
        for (int j = 0; j < n; j += GEMM_NR) {
            uint64_t columns = 0;
            if (j % LINE_NIBBLES == 0)
                avx2_prefetch(row + j / 2, PREFETCH_ROWS * ld / 2);
            if (j + GEMM_NR <= n)
                memcpy(&columns, row + j / 2, sizeof columns);
            else
                memcpy(&columns, row + j / 2, (size_t)(n - j) / 2);
            columns = reorder(columns);
            memcpy(to + (ptrdiff_t)j / GEMM_NR * k * HALF, &columns, sizeof columns);
        }
}

/* Bytes are pairs of k here; a row of 16 of them is as long as the two rows of panel that it becomes. */
void gemm_pack_nk4_avx2(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    gemm_pack_nk8_avx2(src, ld / 2, k / 2, n, dst);
    char *row = dst;
    for (int left = (n + GEMM_NR - 1) / GEMM_NR * (k / 2); left > 0; left--, row += GEMM_NR) {
        uint64_t pairs[2]; /* columns 0 .. 7 and 8 .. 15 */
        memcpy(pairs, row, sizeof pairs);
        uint64_t even = (pairs[0] & low_nibbles) | (pairs[1] & low_nibbles) << 4;
        uint64_t odd = (pairs[0] >> 4 & low_nibbles) | (pairs[1] & ~low_nibbles);
        memcpy(row, &even, sizeof even);
        memcpy(row + HALF, &odd, sizeof odd);
    }
}

#endif
