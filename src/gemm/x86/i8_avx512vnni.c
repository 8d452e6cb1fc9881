/* SPDX-License-Identifier: MIT */
/*
 * i8_avx512vnni.c - int8 x int8 with AVX-512 and its VNNI. One instruction multiplies four rows of k in each of 16
 * columns and adds them to their sums, modulo 2^32, but it multiplies unsigned numbers with signed ones. So weights are
 * taken as w + 128. Because sum(a * w) = sum(a * (w + 128)) - 128 * sum(a), sums begin with the last term, one number
 * for a row. Packed panels are interleaved and made unsigned beforehand: row 4 q + r, column j at byte 64 q + 4 j + r;
 * the last k % 4 rows are unchanged. In other weights the kernel interleaves four rows as it goes.
 */
#include "gemm/kernel/i8_kernel.h"

#include <string.h>

#include "base/cpu.h"
#include "base/x86/avx512.h"

enum {
    MAX_ROWS = 12,
    MAX_PANELS = 8,
    MAX_C = 24, /* registers of C; B takes 2, or one for each panel if rows are few */
    QUAD = I8_GROUP,
    VECTOR = 64,
    BATCH = 96, /* rows whose sums are kept at a time */
    PREFETCH = 3072
};

/* Most panels side by side, by the rows of the tile. */
/* clang-format off */
#define WIDEST(ROW, ...)                                                                          \
    ROW(1, 8, __VA_ARGS__) ROW(2, 4, __VA_ARGS__) ROW(3, 3, __VA_ARGS__) ROW(4, 2, __VA_ARGS__)   \
    ROW(5, 2, __VA_ARGS__) ROW(6, 2, __VA_ARGS__) ROW(7, 2, __VA_ARGS__) ROW(8, 2, __VA_ARGS__)   \
    ROW(9, 2, __VA_ARGS__) ROW(10, 2, __VA_ARGS__) ROW(11, 2, __VA_ARGS__) ROW(12, 2, __VA_ARGS__)
/* clang-format on */

/* -128 times the sum of k elements, modulo 2^32. */
static int32_t start_of(const int8_t *a, int k)
{
    __m512i sum = _mm512_setzero_si512();
    for (int p = 0; p < k; p += VECTOR) {
        const __mmask64 there = k - p < VECTOR ? ((__mmask64)1 << (k - p)) - 1 : ~(__mmask64)0;
        sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(-128), _mm512_maskz_loadu_epi8(there, a + p));
    }
    const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
    __m128i rest = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    rest = _mm_add_epi32(rest, _mm_shuffle_epi32(rest, _MM_SHUFFLE(1, 0, 3, 2)));
    rest = _mm_add_epi32(rest, _mm_shuffle_epi32(rest, _MM_SHUFFLE(2, 3, 0, 1)));
    return _mm_cvtsi128_si32(_mm_sub_epi32(_mm_setzero_si128(), rest));
}

/*
 * Interleaves four consecutive rows of a panel as the instruction takes them: first brings quarters of rows together,
 * then the bytes of a column, and adds 128 to all.
 */
ALWAYS_INLINE __m512i interleave(__m512i rows)
{
    const __m512i quarters = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i bytes = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    const __m512i columns = _mm512_shuffle_epi8(_mm512_permutexvar_epi32(quarters, rows), bytes);
    return _mm512_xor_si512(columns, _mm512_set1_epi8(-128));
}

/* The first `rows` of four rows that are not interleaved. The others may hold anything, because A has zeros there. */
ALWAYS_INLINE __m512i load_rows(const int8_t *at, ptrdiff_t k_stride, int rows)
{
    __m128i row[QUAD];
#pragma GCC unroll 4
    for (int r = 0; r < QUAD; r++)
        row[r] = _mm_loadu_si128((const __m128i *)(const void *)(at + (r < rows ? r : 0) * k_stride));
    return interleave(_mm512_inserti64x4(_mm512_castsi256_si512(_mm256_set_m128i(row[1], row[0])),
                                         _mm256_set_m128i(row[3], row[2]), 1));
}

/* Adds the products of four rows of k to the sums of one row of A. */
ALWAYS_INLINE void step(__m512i *sum, __m512i left, const __m512i *right, int panels)
{
#pragma GCC unroll 8
    for (int v = 0; v < panels; v++)
        sum[v] = _mm512_dpbusd_epi32(sum[v], right[v], left);
}

ALWAYS_INLINE __m512i load_left(const int8_t *a)
{
    int32_t quad;
    memcpy(&quad, a, sizeof quad);
    return _mm512_set1_epi32(quad);
}

/* The last `count` elements of a row, fewer than four. */
ALWAYS_INLINE __m512i load_last(const int8_t *a, int count)
{
    return _mm512_broadcastd_epi32(_mm_maskz_loadu_epi8((__mmask16)((1u << count) - 1), a));
}

ALWAYS_INLINE void micro(const struct i8_block *g, const int32_t *starts, const int8_t *left, const int8_t *b,
                         int32_t *c, ptrdiff_t ldc, bool interleaved, int rows, int panels)
{
    const ptrdiff_t lda = g->lda, k_stride = interleaved ? GEMM_NR : g->k_stride, panel_stride = g->panel_stride;
    const int tail = g->k % QUAD;
    __m512i sum[MAX_C], right[MAX_PANELS];
    /* The addresses of every fourth row of A: as many pointers as rows would not fit the registers. */
    const int8_t *a[MAX_ROWS / 4];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
        const __m512i start = _mm512_set1_epi32(starts[i]);
        a[i / 4] = left + i / 4 * 4 * lda;
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++)
            sum[i * panels + v] =
                g->first ? start : _mm512_add_epi32(start, _mm512_loadu_si512(c + i * ldc + (ptrdiff_t)v * GEMM_NR));
    }
    for (int p = 0; p + QUAD <= g->k; p += QUAD, b += QUAD * k_stride) {
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++) {
            const int8_t *at = b + v * panel_stride;
            if (interleaved)
                prefetch_ahead(at, PREFETCH); /* the processor's own prefetchers find the rows of x2 itself */
            right[v] = interleaved ? _mm512_loadu_si512(at) : load_rows(at, k_stride, QUAD);
        }
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++)
            step(sum + i * panels, load_left(a[i / 4] + i % 4 * lda), right, panels);
#pragma GCC unroll 3
        for (int i = 0; i < rows; i += 4)
            a[i / 4] += QUAD;
    }
    if (tail) {
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++)
            right[v] = load_rows(b + v * panel_stride, k_stride, tail);
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++)
            step(sum + i * panels, load_last(a[i / 4] + i % 4 * lda, tail), right, panels);
    }
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++)
            _mm512_storeu_si512(c + i * ldc + (ptrdiff_t)v * GEMM_NR, sum[i * panels + v]);
}

#include "gemm/x86/i8_table.h"

static void block(const struct i8_block *g)
{
    struct i8_block batch = *g;
    int32_t starts[BATCH];
    for (int row = 0; row < g->m; row += BATCH) {
        batch.a = (const int8_t *)g->a + row * g->lda;
        batch.c = g->c + row * g->ldc;
        batch.m = g->m - row < BATCH ? g->m - row : BATCH;
        for (int i = 0; i < batch.m; i++)
            starts[i] = start_of((const int8_t *)batch.a + i * g->lda, g->k);
        run(&batch, starts, sizeof(int8_t));
    }
}

static void interleave_panel(int8_t *panel, int k)
{
    for (int p = 0; p + QUAD <= k; p += QUAD, panel += VECTOR)
        _mm512_storeu_si512(panel, interleave(_mm512_loadu_si512(panel)));
}

const struct i8_kernel i8_avx512vnni = {
    .name = "avx512vnni",
    .needs = CPU_AVX512 | CPU_AVX512VNNI,
    .block = block,
    .x1 = I8_X1_AS_IT_IS,
    .interleave = interleave_panel,
};
