/*
 * gemm_256.h - the matmul kernel on 256-bit registers, included by the files that compile it for 16 of them
 * (gemm_avx2.c) and for 32 (gemm_avx512vl.c): GEMM_256_ROWS is 6 or 12. A micro-kernel keeps a tile of C in registers,
 * `rows` x `panels` panels of 16 columns, while it walks down k and reads B in its own type. A chain over k cannot be
 * cut, so the independent chains that hide the multiply-add's latency (4 cycles, two a cycle: 8 registers of C) must
 * come from rows and columns: the fewer rows, the more panels side by side.
 */
#include "base/avx2.h"
#include "gemm/gemm.h"

enum {
    VECTOR = 8,
    VECTORS = GEMM_NR / VECTOR, /* registers in one row of a panel */
    MAX_ROWS = GEMM_256_ROWS,
    MAX_PANELS = 4,
    MAX_C = MAX_ROWS * VECTORS,
    /* Bytes ahead in the same panel or, in a row-major B, in the same row: both are what is read next. Far enough for
       a few rows, whose step down k is short. */
    PREFETCH = 12288
};

/* Most panels side by side, by the rows of the tile. */
static const int widest[13] = {0, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1};

/* One register tile: a, b and c point at its first row and column. */
AVX2_INLINE void micro(const struct gemm_block *g, const float *a, const char *b, float *c, ptrdiff_t ldc,
                       int32_t dtype, int rows, int panels)
{
    const ptrdiff_t size = dtype == MMARN_F32 ? 4 : 2;
    const ptrdiff_t panel_bytes = g->panel_stride * size, k_bytes = g->k_stride * size;
    const ptrdiff_t lda = g->lda;
    const int k = g->k;
    const int across = panels * VECTORS;
    __m256 sum[MAX_C];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < across; v++)
            sum[i * across + v] = g->first ? _mm256_setzero_ps() : _mm256_loadu_ps(c + i * ldc + v * VECTOR);

    for (int p = 0; p < k; p++, a++, b += k_bytes) {
        /* The shorter side is loaded first and kept; with the tile and one register of the other side it fills the 16.
         */
        if (rows < 4) {
            __m256 left[MAX_ROWS];
#pragma GCC unroll 12
            for (int i = 0; i < rows; i++)
                left[i] = _mm256_broadcast_ss(a + i * lda);
#pragma GCC unroll 8
            for (int v = 0; v < across; v++) {
                const char *at = b + v / VECTORS * panel_bytes + v % VECTORS * VECTOR * size;
                if (v % VECTORS == 0)
                    avx2_prefetch(at, PREFETCH);
                __m256 right = avx2_load(dtype, at);
#pragma GCC unroll 12
                for (int i = 0; i < rows; i++)
                    sum[i * across + v] = _mm256_fmadd_ps(left[i], right, sum[i * across + v]);
            }
        } else {
            __m256 low = avx2_load(dtype, b), high = avx2_load(dtype, b + VECTOR * size);
            avx2_prefetch(b, PREFETCH);
#pragma GCC unroll 12
            for (int i = 0; i < rows; i++) {
                __m256 left = _mm256_broadcast_ss(a + i * lda);
                sum[2 * i] = _mm256_fmadd_ps(left, low, sum[2 * i]);
                sum[2 * i + 1] = _mm256_fmadd_ps(left, high, sum[2 * i + 1]);
            }
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < across; v++)
            _mm256_storeu_ps(c + i * ldc + v * VECTOR, sum[i * across + v]);
}

/* Every shape that `widest` allows, for one dtype; a line for each number of rows. */
/* clang-format off */
#define FEW(X, type)                                             \
    X(type, 1, 1) X(type, 1, 2) X(type, 1, 3) X(type, 1, 4)      \
    X(type, 2, 1) X(type, 2, 2) X(type, 2, 3)                    \
    X(type, 3, 1) X(type, 3, 2)                                  \
    X(type, 4, 1) X(type, 5, 1) X(type, 6, 1)
#define MORE(X, type)                                            \
    X(type, 7, 1) X(type, 8, 1) X(type, 9, 1)                    \
    X(type, 10, 1) X(type, 11, 1) X(type, 12, 1)
#if GEMM_256_ROWS == 6
#define SHAPES(X, type) FEW(X, type)
#else
#define SHAPES(X, type) FEW(X, type) MORE(X, type)
#endif
/* clang-format on */

#include "gemm/gemm_walk.h"
