/*
 * gemm_avx512.c - the matmul kernel with AVX-512. One register is a row of a panel, and there are 32 of them: a tile of
 * C of up to 12 rows x 2 panels reads B half as often from the caches as AVX2's 6 x 1. Broadcasts of A are operands in
 * memory. Chains and shapes follow gemm_256.h.
 */
#include "gemm/gemm.h"

#if defined(__x86_64__)

#include "base/avx512.h"

enum {
    MAX_ROWS = 12,
    MAX_PANELS = 8,
    MAX_C = 24, /* registers of C; B takes 2, or one for each panel where rows are few */
    PREFETCH = 3072
};

/* Most panels side by side, by the rows of the tile: 8 chains hide the latency of two multiply-adds a cycle. */
static const int widest[MAX_ROWS + 1] = {0, 8, 4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2};

/* One register tile: a, b and c point at its first row and column. */
AVX2_INLINE void micro(const struct gemm_block *g, const float *a, const char *b, float *c, ptrdiff_t ldc,
                       int32_t dtype, int rows, int panels)
{
    const ptrdiff_t size = dtype == MMARN_F32 ? 4 : 2;
    const ptrdiff_t panel_bytes = g->panel_stride * size, k_bytes = g->k_stride * size;
    const ptrdiff_t lda = g->lda;
    const int k = g->k;
    __m512 sum[MAX_C], right[MAX_PANELS];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++)
            sum[i * panels + v] = g->first ? _mm512_setzero_ps() : _mm512_loadu_ps(c + i * ldc + v * GEMM_NR);
    for (int p = 0; p < k; p++, a++, b += k_bytes) {
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++) {
            avx2_prefetch(b + v * panel_bytes, PREFETCH);
            right[v] = avx512_load(dtype, b + v * panel_bytes);
        }
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++) {
            const __m512 left = _mm512_set1_ps(a[i * lda]);
#pragma GCC unroll 8
            for (int v = 0; v < panels; v++)
                sum[i * panels + v] = _mm512_fmadd_ps(left, right[v], sum[i * panels + v]);
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < panels; v++)
            _mm512_storeu_ps(c + i * ldc + v * GEMM_NR, sum[i * panels + v]);
}

/* Every shape that `widest` allows, for one dtype. */
/* clang-format off */
#define SHAPES(X, type)                                                                                   \
    X(type, 1, 1) X(type, 1, 2) X(type, 1, 3) X(type, 1, 4) X(type, 1, 5) X(type, 1, 6) X(type, 1, 7)     \
    X(type, 1, 8) X(type, 2, 1) X(type, 2, 2) X(type, 2, 3) X(type, 2, 4) X(type, 3, 1) X(type, 3, 2)     \
    X(type, 3, 3) X(type, 4, 1) X(type, 4, 2) X(type, 5, 1) X(type, 5, 2) X(type, 6, 1) X(type, 6, 2)     \
    X(type, 7, 1) X(type, 7, 2) X(type, 8, 1) X(type, 8, 2) X(type, 9, 1) X(type, 9, 2) X(type, 10, 1)    \
    X(type, 10, 2) X(type, 11, 1) X(type, 11, 2) X(type, 12, 1) X(type, 12, 2)
/* clang-format on */

#include "gemm/gemm_walk.h"

const struct gemm_kernel gemm_avx512 = GEMM_TABLE("avx512", CPU_AVX512);

#endif
