/*
 * gemm_avx512.c - the matmul kernel with AVX-512. One register is a row of a panel, and there are 32 of them: a tile of
 * C of up to 12 rows x 2 panels reads B half as often from the caches as AVX2's 6 x 1. Broadcasts of A are operands in
 * memory. Chains and shapes follow gemm_256.h, packing is AVX2's.
 */
#include "gemm/gemm.h"

#if defined(__x86_64__)

#include <string.h>

#include "base/avx512.h"
#include "base/cpu.h"
#include "gemm/gemm_pack_avx2.h"

enum {
    MAX_ROWS = 12,
    MAX_PANELS = 8,
    MAX_C = 24, /* registers of C; B takes 2, or one for each panel where rows are few */
    PREFETCH = 3072
};

/* Most panels side by side, by the rows of the tile: 8 chains hide the latency of two multiply-adds a cycle. */
static const int widest[MAX_ROWS + 1] = {0, 8, 4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2};

/* One register tile: a, b and c point at its first row and column. */
typedef void micro_fn(const struct gemm_block *g, const float *a, const char *b, float *c, ptrdiff_t ldc);

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
#define DEFINE(type, rows, panels)                                                                                     \
    static void micro_##type##_##rows##x##panels(const struct gemm_block *g, const float *a, const char *b, float *c,  \
                                                 ptrdiff_t ldc)                                                        \
    {                                                                                                                  \
        micro(g, a, b, c, ldc, MMARN_##type, rows, panels);                                                            \
    }
#define ENTRY(type, rows, panels) [rows][panels] = micro_##type##_##rows##x##panels,
SHAPES(DEFINE, F16)
SHAPES(DEFINE, BF16)
SHAPES(DEFINE, F32)
static micro_fn *const micros[DTYPE_COUNT][MAX_ROWS + 1][MAX_PANELS + 1] = {
    [MMARN_F16] = {SHAPES(ENTRY, F16)}, [MMARN_BF16] = {SHAPES(ENTRY, BF16)}, [MMARN_F32] = {SHAPES(ENTRY, F32)}};

/* The last columns, fewer than a panel: the tile goes through a buffer, so that no column beyond n is touched. */
static void ragged(const struct gemm_block *g, micro_fn *kernel, const float *a, const char *b, float *c, int rows)
{
    float whole[MAX_ROWS * GEMM_NR] = {0};
    size_t bytes = (size_t)(g->n % GEMM_NR) * sizeof(float);
    for (int i = 0; i < rows && !g->first; i++)
        memcpy(whole + (ptrdiff_t)i * GEMM_NR, c + i * g->ldc, bytes);
    kernel(g, a, b, whole, GEMM_NR);
    for (int i = 0; i < rows; i++)
        memcpy(c + i * g->ldc, whole + (ptrdiff_t)i * GEMM_NR, bytes);
}

/* Panels outside, rows inside: panels are fetched once and stay in the caches for all rows. */
static void block(const struct gemm_block *g, int32_t dtype)
{
    const ptrdiff_t panel_bytes = g->panel_stride * (ptrdiff_t)dtype_size(dtype);
    const int full = g->n / GEMM_NR, tallest = avx2_piece(g->m, MAX_ROWS);
    for (int panel = 0, panels; panel * GEMM_NR < g->n; panel += panels) {
        panels = panel < full ? avx2_piece(full - panel, widest[tallest]) : 1;
        const char *b = (const char *)g->b + panel * panel_bytes;
        for (int i = 0, rows; i < g->m; i += rows) {
            rows = avx2_piece(g->m - i, MAX_ROWS);
            micro_fn *kernel = micros[dtype][rows][panels];
            const float *a = g->a + i * g->lda;
            float *c = g->c + i * g->ldc + (ptrdiff_t)panel * GEMM_NR;
            if (panel < full)
                kernel(g, a, b, c, g->ldc);
            else
                ragged(g, kernel, a, b, c, rows);
        }
    }
}

static void block_f16(const struct gemm_block *g)
{
    block(g, MMARN_F16);
}

static void block_bf16(const struct gemm_block *g)
{
    block(g, MMARN_BF16);
}

static void block_f32(const struct gemm_block *g)
{
    block(g, MMARN_F32);
}

const struct gemm_kernel gemm_avx512 = {
    .name = "avx512",
    .needs = CPU_AVX512,
    .block = {[MMARN_F16] = block_f16, [MMARN_BF16] = block_bf16, [MMARN_F32] = block_f32},
    .pack_kn = {[MMARN_F16] = gemm_pack_kn16_avx2,
                [MMARN_BF16] = gemm_pack_kn16_avx2,
                [MMARN_F32] = gemm_pack_kn32_avx2,
                [MMARN_I8] = gemm_pack_kn8_avx2,
                [MMARN_I4] = gemm_pack_kn4_avx2},
    .pack_nk = {[MMARN_F16] = gemm_pack_nk16_avx2,
                [MMARN_BF16] = gemm_pack_nk16_avx2,
                [MMARN_F32] = gemm_pack_nk32_avx2,
                [MMARN_I8] = gemm_pack_nk8_avx2,
                [MMARN_I4] = gemm_pack_nk4_avx2},
};

#endif
