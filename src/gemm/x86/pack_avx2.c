/* SPDX-License-Identifier: MIT */
/*
 * pack_avx2.c - packing with AVX2. kn moves rows of 16 elements; nk transposes in registers. Both prefetch some way
 * ahead, because the processor's own prefetchers follow the large strides of the source badly. bf16 is packed in pairs
 * of rows of k: kn interleaves two rows; in nk the two of a column are already one element of 32 bits, and only their
 * order is swapped.
 */
#include "gemm/x86/pack_avx2.h"

#include <string.h>

#include "base/cpu.h"
#include "base/x86/avx2.h"

enum {
    PREFETCH_ROWS = 8,    /* kn: rows ahead */
    PREFETCH_BYTES = 512, /* nk: ahead in each column */
    LINE = 64
};

/* Copies 16 elements. */
ALWAYS_INLINE void move_row(const char *src, char *dst, size_t size)
{
    for (size_t at = 0; at < GEMM_NR * size; at += sizeof(__m256i))
        _mm256_storeu_si256((__m256i *)(void *)(dst + at),
                            _mm256_loadu_si256((const __m256i *)(const void *)(src + at)));
}

/* Row by row over all panels, so that each row of src is read in one pass. */
ALWAYS_INLINE void pack_kn(const char *src, ptrdiff_t ld_bytes, int k, int n, char *dst, size_t size)
{
    const size_t panel_bytes = (size_t)k * GEMM_NR * size;
    const size_t full = (size_t)(n / GEMM_NR), rest = (size_t)(n % GEMM_NR) * size;
    for (int p = 0; p < k; p++, src += ld_bytes, dst += GEMM_NR * size) {
        for (size_t panel = 0; panel < full; panel++) {
            const char *from = src + panel * GEMM_NR * size;
            prefetch_ahead(from, PREFETCH_ROWS * ld_bytes);
            move_row(from, dst + panel * panel_bytes, size);
        }
        if (rest) {
            char *last = dst + full * panel_bytes;
            memcpy(last, src + full * GEMM_NR * size, rest);
            memset(last + rest, 0, GEMM_NR * size - rest);
        }
    }
}

/* Stores 16 columns of two rows of k as a panel of bf16 has them. */
ALWAYS_INLINE void store_pair(__m256i even_row, __m256i odd_row, char *dst)
{
    const __m256i low = _mm256_unpacklo_epi16(odd_row, even_row);  /* columns 0 .. 3 and 8 .. 11 */
    const __m256i high = _mm256_unpackhi_epi16(odd_row, even_row); /* 4 .. 7 and 12 .. 15 */
    _mm256_storeu_si256((__m256i *)(void *)dst, _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256((__m256i *)(void *)dst + 1, _mm256_permute2x128_si256(low, high, 0x31));
}

/* Loads 16 columns of a row of 16-bit elements, of which only the first `bytes` bytes exist; zeros beyond. */
ALWAYS_INLINE __m256i load_columns(const char *row, size_t bytes)
{
    char columns[GEMM_NR * 2] = {0};
    if (bytes == sizeof columns)
        return _mm256_loadu_si256((const __m256i *)(const void *)row);
    memcpy(columns, row, bytes);
    return _mm256_loadu_si256((const __m256i *)(const void *)columns);
}

static void pack_kn_bf16(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    const ptrdiff_t row_bytes = ld * 2, panel_bytes = gemm_bytes(MMARN_BF16, gemm_panel(MMARN_BF16, k));
    char *to = dst;
    for (int p = 0; p < k; p += 2, to += 2 * GEMM_NR * 2)
        for (int j = 0; j < n; j += GEMM_NR) {
            const char *from = (const char *)src + p * row_bytes + (ptrdiff_t)j * 2;
            const size_t bytes = (size_t)(n - j < GEMM_NR ? n - j : GEMM_NR) * 2;
            prefetch_ahead(from, PREFETCH_ROWS * row_bytes);
            prefetch_ahead(from, (PREFETCH_ROWS + 1) * row_bytes);
            const __m256i odd_row = p + 1 < k ? load_columns(from + row_bytes, bytes) : _mm256_setzero_si256();
            store_pair(load_columns(from, bytes), odd_row, to + j / GEMM_NR * panel_bytes);
        }
}

/* The rows of k from p on of one panel, element by element; zeros from column n on. */
ALWAYS_INLINE void transpose_edge(const char *src, ptrdiff_t ld_bytes, int p, int k, int n, char *dst, size_t size)
{
    for (; p < k; p++)
        for (int j = 0; j < GEMM_NR; j++) {
            char *to = dst + ((size_t)p * GEMM_NR + (size_t)j) * size;
            if (j < n)
                memcpy(to, src + j * ld_bytes + (size_t)p * size, size);
            else
                memset(to, 0, size);
        }
}

/* The same for bf16; p is even. */
static void transpose_edge_bf16(const char *src, ptrdiff_t ld_bytes, int p, int k, int n, char *dst)
{
    for (; p < k; p += 2)
        for (int j = 0; j < GEMM_NR; j++) {
            uint16_t pair[2] = {0};
            if (j < n)
                memcpy(pair, src + j * ld_bytes + p * 2, (size_t)(p + 1 < k ? 4 : 2));
            const uint16_t swapped[2] = {pair[1], pair[0]};
            memcpy(dst + (p / 2 * GEMM_NR + j) * 4, swapped, sizeof swapped);
        }
}

ALWAYS_INLINE __m256i load_run(const char *column)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)column);
}

/* Each half of a register is one row of k; the rows are `apart` rows from each other. */
ALWAYS_INLINE void store_rows(char *row, size_t apart, size_t size, __m256i values)
{
    _mm_storeu_si128((__m128i *)(void *)row, _mm256_castsi256_si128(values));
    _mm_storeu_si128((__m128i *)(void *)(row + apart * GEMM_NR * size), _mm256_extracti128_si256(values, 1));
}

/*
 * 16 rows of k by 8 columns of 16-bit elements. A register starts as one column, k 0 .. 7 in one half and 8 .. 15 in
 * the other, so that three rounds of interleaving within halves make it two rows.
 */
ALWAYS_INLINE void transpose16(const char *src, ptrdiff_t ld_bytes, char *dst)
{
    __m256i c[8], pairs[8], fours[8];
    for (int j = 0; j < 8; j++)
        c[j] = load_run(src + j * ld_bytes);
    for (int j = 0; j < 4; j++) {
        pairs[j] = _mm256_unpacklo_epi16(c[2 * j], c[2 * j + 1]);     /* k 0 .. 3 of two columns */
        pairs[j + 4] = _mm256_unpackhi_epi16(c[2 * j], c[2 * j + 1]); /* k 4 .. 7 */
    }
    for (int j = 0; j < 8; j += 2) {
        fours[j] = _mm256_unpacklo_epi32(pairs[j], pairs[j + 1]); /* two k of four columns */
        fours[j + 1] = _mm256_unpackhi_epi32(pairs[j], pairs[j + 1]);
    }
    for (int j = 0; j < 8; j += 4)
        for (int i = 0; i < 2; i++) {
            char *row = dst + (j + 2 * i) * GEMM_NR * 2;
            store_rows(row, 8, 2, _mm256_unpacklo_epi64(fours[j + i], fours[j + i + 2]));
            store_rows(row + GEMM_NR * 2, 8, 2, _mm256_unpackhi_epi64(fours[j + i], fours[j + i + 2]));
        }
}

/*
 * 8 rows of k by 4 columns of 32-bit elements: the same with k 0 .. 3 and 4 .. 7, in two rounds. swapped: swaps the
 * halves of each element.
 */
ALWAYS_INLINE void transpose32(const char *src, ptrdiff_t ld_bytes, char *dst, bool swapped)
{
    const __m128i halves = _mm_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    const __m256i swap = _mm256_broadcastsi128_si256(halves);
    __m256i c[4], pairs[4];
    for (int j = 0; j < 4; j++) {
        c[j] = load_run(src + j * ld_bytes);
        if (swapped)
            c[j] = _mm256_shuffle_epi8(c[j], swap);
    }
    for (int j = 0; j < 2; j++) {
        pairs[j] = _mm256_unpacklo_epi32(c[2 * j], c[2 * j + 1]);     /* k 0 and 1 of two columns */
        pairs[j + 2] = _mm256_unpackhi_epi32(c[2 * j], c[2 * j + 1]); /* k 2 and 3 */
    }
    for (int i = 0; i < 2; i++) {
        char *row = dst + 2 * i * GEMM_NR * 4;
        store_rows(row, 4, 4, _mm256_unpacklo_epi64(pairs[2 * i], pairs[2 * i + 1]));
        store_rows(row + GEMM_NR * 4, 4, 4, _mm256_unpackhi_epi64(pairs[2 * i], pairs[2 * i + 1]));
    }
}

/*
 * Transposes a cache line of each column of a panel. It takes eight columns at a time, and of those the whole line:
 * when ld is a large power of two, their lines compete for one set of the first-level cache, which holds eight.
 */
ALWAYS_INLINE void transpose_lines(const char *src, ptrdiff_t ld_bytes, char *dst, size_t size, bool swapped)
{
    const int columns = size == 2 ? 8 : 4;
    const size_t half_rows = LINE / 2 / size;
    for (int j = 0; j < GEMM_NR; j += columns)
        for (int half = 0; half < 2; half++) {
            const char *from = src + j * ld_bytes + half * (LINE / 2);
            char *to = dst + ((size_t)half * half_rows * GEMM_NR + (size_t)j) * size;
            if (size == 2)
                transpose16(from, ld_bytes, to);
            else
                transpose32(from, ld_bytes, to, swapped);
        }
}

/* The rows of k of a whole panel, as far as whole lines reach; returns their number. */
ALWAYS_INLINE int transpose_panel(const char *src, ptrdiff_t ld_bytes, int k, char *dst, size_t size, bool swapped)
{
    const int step = LINE / (int)size;
    int p = 0;
    for (; p + step <= k; p += step) {
        const char *from = src + (size_t)p * size;
        for (int j = 0; j < GEMM_NR; j++)
            prefetch_ahead(from + j * ld_bytes, PREFETCH_BYTES);
        transpose_lines(from, ld_bytes, dst + (size_t)p * GEMM_NR * size, size, swapped);
    }
    return p;
}

ALWAYS_INLINE void pack_nk(const char *src, ptrdiff_t ld_bytes, int k, int n, char *dst, size_t size)
{
    for (int j0 = 0; j0 < n; j0 += GEMM_NR) {
        const int done = j0 + GEMM_NR <= n ? transpose_panel(src, ld_bytes, k, dst, size, false) : 0;
        transpose_edge(src, ld_bytes, done, k, n - j0, dst, size);
        src += GEMM_NR * ld_bytes;
        dst += (size_t)k * GEMM_NR * size;
    }
}

static void pack_kn16(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    pack_kn(src, ld * 2, k, n, dst, 2);
}

static void pack_kn32(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    pack_kn(src, ld * 4, k, n, dst, 4);
}

static void pack_nk16(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    pack_nk(src, ld * 2, k, n, dst, 2);
}

static void pack_nk_bf16(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    const ptrdiff_t panel_bytes = gemm_bytes(MMARN_BF16, gemm_panel(MMARN_BF16, k));
    const char *columns = src;
    char *panel = dst;
    for (int j0 = 0; j0 < n; j0 += GEMM_NR, columns += GEMM_NR * ld * 2, panel += panel_bytes) {
        const int done = j0 + GEMM_NR <= n ? transpose_panel(columns, ld * 2, k / 2, panel, 4, true) : 0;
        transpose_edge_bf16(columns, ld * 2, done * 2, k, n - j0, panel);
    }
}

static void pack_nk32(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    pack_nk(src, ld * 4, k, n, dst, 4);
}

const struct pack_kernel pack_avx2 = {
    .name = "avx2",
    .needs = CPU_AVX2,
    .kn = {[MMARN_F16] = pack_kn16,
           [MMARN_BF16] = pack_kn_bf16,
           [MMARN_F32] = pack_kn32,
           [MMARN_I8] = pack_kn8_avx2,
           [MMARN_I4] = pack_kn4_avx2},
    .nk = {[MMARN_F16] = pack_nk16,
           [MMARN_BF16] = pack_nk_bf16,
           [MMARN_F32] = pack_nk32,
           [MMARN_I8] = pack_nk8_avx2,
           [MMARN_I4] = pack_nk4_avx2},
};
