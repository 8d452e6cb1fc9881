/* SPDX-License-Identifier: MIT */
/*
 * expand_few_avx2.c - multiplies a few rows with int8 or int4 weights with AVX2. Weights are read once and expanded in
 * registers, without a conversion to 16 bits and back; expand_factors_avx2.c explains how, and for which scales. For
 * other scales the caller expands the weights.
 */
#include "gemm/x86/expand_factors.h"

#include "base/x86/avx2.h"

enum { VECTOR = 8, VECTORS = GEMM_NR / VECTOR, MAX_ROWS = 6, MAX_PANELS = 4, MAX_C = 12 };

/* Most panels side by side, by the rows of the tile. Expansion hides the latency of the sums, so few panels suffice. */
/* clang-format off */
#define WIDEST(ROW, ...)                                                                        \
    ROW(1, 4, __VA_ARGS__) ROW(2, 3, __VA_ARGS__) ROW(3, 1, __VA_ARGS__) ROW(4, 1, __VA_ARGS__) \
    ROW(5, 1, __VA_ARGS__) ROW(6, 1, __VA_ARGS__)
/* clang-format on */

/*
 * Columns 0 .. 7, or, with high, 8 .. 15, of the first or second row of a pair. A byte of int4 is moved to the top of
 * 32 bits, so that the four bits of either row have their sign: the values are q * 2^28.
 */
ALWAYS_INLINE __m256 load_weights(int32_t dtype, const char *pair, int row, int high)
{
    if (dtype == MMARN_I8) {
        const void *from = pair + row * GEMM_NR + high * VECTOR;
        return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(from)));
    }
    const __m256i low_columns = _mm256_setr_epi32(0x00ffffff, 0x01ffffff, 0x02ffffff, 0x03ffffff, 0x04ffffff,
                                                  0x05ffffff, 0x06ffffff, 0x07ffffff);
    const __m256i columns = _mm256_add_epi32(low_columns, _mm256_set1_epi32(high << 27));
    const __m256i both = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)pair));
    const __m256i bytes = _mm256_shuffle_epi8(both, columns);
    return _mm256_cvtepi32_ps(row ? _mm256_and_si256(bytes, _mm256_set1_epi32(-0x10000000))
                                  : _mm256_slli_epi32(bytes, 4));
}

/* Adds the products of `depth` rows of k, a pair or the last one, at a and b. */
ALWAYS_INLINE void multiply(const struct expand_few *g, const struct expand_factors *f, const float *a, const char *b,
                            __m256 *sum, int32_t dtype, bool has_offset, int rows, int panels, int depth)
{
    const ptrdiff_t panel_bytes = dtype == MMARN_I8 ? g->run.panel_stride : g->run.panel_stride / 2;
    const int across = panels * VECTORS;
#pragma GCC unroll 4
    for (int panel = 0; panel < panels; panel++) {
        const char *pair = b + panel * panel_bytes;
        prefetch_ahead(pair, g->ahead);
#pragma GCC unroll 4
        for (int part = 0; part < depth * VECTORS; part++) {
            const int p = part / VECTORS, v = panel * VECTORS + part % VECTORS;
            __m256 u = load_weights(dtype, pair, p, part % VECTORS);
            if (has_offset)
                u = _mm256_add_ps(u, _mm256_loadu_ps(f->offset + v * VECTOR));
            const __m256 w = _mm256_fmadd_ps(u, _mm256_loadu_ps(f->second + v * VECTOR),
                                             _mm256_mul_ps(u, _mm256_loadu_ps(f->first + v * VECTOR)));
#pragma GCC unroll 6
            for (int i = 0; i < rows; i++)
                sum[i * across + v] = _mm256_fmadd_ps(_mm256_broadcast_ss(a + i * g->lda + p), w, sum[i * across + v]);
        }
    }
}

ALWAYS_INLINE void micro(const struct expand_few *g, const struct expand_factors *f, const float *a, const char *b,
                         float *c, ptrdiff_t ldc, int32_t dtype, bool has_offset, int rows, int panels)
{
    const ptrdiff_t pair_bytes = dtype == MMARN_I8 ? 2 * GEMM_NR : GEMM_NR;
    const int across = panels * VECTORS;
    __m256 sum[MAX_C];
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < across; v++)
            sum[i * across + v] = g->first ? _mm256_setzero_ps() : _mm256_loadu_ps(c + i * ldc + v * VECTOR);
    int p = 0;
    for (; p + 1 < g->run.k; p += 2, a += 2, b += pair_bytes)
        multiply(g, f, a, b, sum, dtype, has_offset, rows, panels, 2);
    if (p < g->run.k)
        multiply(g, f, a, b, sum, dtype, has_offset, rows, panels, 1);
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < across; v++)
            _mm256_storeu_ps(c + i * ldc + v * VECTOR, sum[i * across + v]);
}

/* Offsets always take an addition, and int4 is multiplied by a power of two. */
ALWAYS_INLINE bool adds_offset(int32_t dtype, int32_t x_dtype, const struct expand_run *run)
{
    (void)dtype;
    (void)x_dtype;
    return run->offset;
}

ALWAYS_INLINE float prescale(int32_t dtype)
{
    return dtype == MMARN_I4 ? 0x1p28F : 1;
}

#include "gemm/x86/expand_few_table.h"

const struct expand_kernel expand_few_avx2 = EXPAND_FEW_TABLE("avx2", CPU_AVX2);
