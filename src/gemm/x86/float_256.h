/* SPDX-License-Identifier: MIT */
/*
 * float_256.h - the matmul kernel on 256-bit registers, included by the files that compile it for 16 of them
 * (float_avx2.c) and for 32 (float_256_avx512.c): FLOAT_256_ROWS is 6 or 12. A micro-kernel keeps a tile of C in
 * registers, `rows` x `panels` panels of 16 columns, while it walks down k and reads B in its own type. A chain over k
 * cannot be cut, so the independent chains that hide the multiply-add's latency (4 cycles, two a cycle: 8 registers of
 * C) must come from rows and columns: the fewer rows, the more panels side by side.
 */
#include "base/x86/avx2.h"
#include "gemm/kernel/float_kernel.h"
#include "gemm/x86/factors_x86.h"

enum {
    VECTOR = 8,
    VECTORS = GEMM_NR / VECTOR, /* registers in one row of a panel */
    MAX_ROWS = FLOAT_256_ROWS,
    MAX_PANELS = 4,
    MAX_C = MAX_ROWS * VECTORS,
    /* Prefetch distance in bytes, in the same panel or, for a row-major B, in the same row: both are read next. It is
       far enough for a few rows, whose step down k is short. */
    PREFETCH = 12288
};

/* Most panels side by side, by the rows of the tile. */
/* clang-format off */
#define FEW(ROW, ...)                                                                           \
    ROW(1, 4, __VA_ARGS__) ROW(2, 3, __VA_ARGS__) ROW(3, 2, __VA_ARGS__) ROW(4, 1, __VA_ARGS__) \
    ROW(5, 1, __VA_ARGS__) ROW(6, 1, __VA_ARGS__)
#define MORE(ROW, ...)                                                                             \
    ROW(7, 1, __VA_ARGS__) ROW(8, 1, __VA_ARGS__) ROW(9, 1, __VA_ARGS__) ROW(10, 1, __VA_ARGS__)   \
    ROW(11, 1, __VA_ARGS__) ROW(12, 1, __VA_ARGS__)
#if FLOAT_256_ROWS == 6
#define WIDEST(ROW, ...) FEW(ROW, __VA_ARGS__)
#else
#define WIDEST(ROW, ...) FEW(ROW, __VA_ARGS__) MORE(ROW, __VA_ARGS__)
#endif
/* clang-format on */

/*
 * Columns 0 .. 7 (v 0) or 8 .. 15 of a row of k of one panel. If rows lie in pairs, it is the first or second of the
 * pair at b.
 */
ALWAYS_INLINE __m256 load_row(int32_t dtype, bool paired, const char *b, int row, int v)
{
    if (!paired)
        return avx2_load(dtype, b + v * VECTOR * (dtype == MMARN_F32 ? 4 : 2));
    const __m256i pair = _mm256_loadu_si256((const __m256i *)(const void *)b + v);
    return _mm256_castsi256_ps(row ? _mm256_slli_epi32(pair, 16) : _mm256_and_si256(pair, _mm256_set1_epi32(-0x10000)));
}

/*
 * Adds the products of `depth` rows of k, a pair or one, at a and b. The shorter side is loaded first and kept.
 * Together with the tile and one register of the other side it fills the 16 registers.
 */
ALWAYS_INLINE void multiply(const struct float_block *g, const float *a, const char *b, __m256 *sum, int32_t dtype,
                            bool paired, int rows, int panels, int depth)
{
    const ptrdiff_t panel_bytes = g->panel_stride * (dtype == MMARN_F32 ? 4 : 2), lda = g->lda;
    const int across = panels * VECTORS;
    if (rows < 4) {
        __m256 left[2 * MAX_ROWS];
#pragma GCC unroll 12
        for (int i = 0; i < rows * depth; i++)
            left[i] = _mm256_broadcast_ss(a + i / depth * lda + i % depth);
#pragma GCC unroll 8
        for (int v = 0; v < across; v++) {
            const char *at = b + v / VECTORS * panel_bytes;
            if (v % VECTORS == 0)
                prefetch_ahead(at, PREFETCH);
#pragma GCC unroll 2
            for (int row = 0; row < depth; row++) {
                __m256 right = load_row(dtype, paired, at, row, v % VECTORS);
#pragma GCC unroll 12
                for (int i = 0; i < rows; i++)
                    sum[i * across + v] = _mm256_fmadd_ps(left[i * depth + row], right, sum[i * across + v]);
            }
        }
        return;
    }
    prefetch_ahead(b, PREFETCH);
#pragma GCC unroll 2
    for (int row = 0; row < depth; row++) {
        __m256 low = load_row(dtype, paired, b, row, 0), high = load_row(dtype, paired, b, row, 1);
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++) {
            __m256 left = _mm256_broadcast_ss(a + i * lda + row);
            sum[2 * i] = _mm256_fmadd_ps(left, low, sum[2 * i]);
            sum[2 * i + 1] = _mm256_fmadd_ps(left, high, sum[2 * i + 1]);
        }
    }
}

/* One chain over k rows of a register tile: added to C, continued from it, or multiplied by factors. */
ALWAYS_INLINE void chain(const struct float_block *g, int row, int column, const float *a, const char *b, float *c,
                         ptrdiff_t ldc, int32_t dtype, bool paired, int rows, int panels, int k, bool first)
{
    const int depth = paired ? 2 : 1, across = panels * VECTORS;
    const ptrdiff_t step = paired ? 2 * GEMM_NR * 2 : g->k_stride * (dtype == MMARN_F32 ? 4 : 2);
    const bool scaled = dtype == MMARN_F32 && g->factors, is_added = !first && g->chain,
               goes_on = !first && !g->chain && !scaled;
    __m256 sum[MAX_C];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < across; v++)
            sum[i * across + v] = goes_on ? _mm256_loadu_ps(c + i * ldc + v * VECTOR) : _mm256_setzero_ps();
    int p = 0;
    for (; p + depth <= k; p += depth, a += depth, b += step)
        multiply(g, a, b, sum, dtype, paired, rows, panels, depth);
    if (p < k)
        multiply(g, a, b, sum, dtype, paired, rows, panels, 1);
#pragma GCC unroll 12
    for (int i = 0; i < rows && is_added; i++)
#pragma GCC unroll 8
        for (int v = 0; v < across; v++)
            sum[i * across + v] = _mm256_add_ps(_mm256_loadu_ps(c + i * ldc + v * VECTOR), sum[i * across + v]);
    if (scaled)
        factors_apply_256(g->factors, row, column, c, ldc, first, sum, rows, across);
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < across; v++)
            _mm256_storeu_ps(c + i * ldc + v * VECTOR, sum[i * across + v]);
}

#include "gemm/x86/float_table.h"
