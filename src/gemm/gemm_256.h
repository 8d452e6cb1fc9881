/*
 * gemm_256.h - the matmul kernel on 256-bit registers, included by the files that compile it for 16 of them
 * (gemm_avx2.c) and for 32 (gemm_avx512vl.c): GEMM_256_ROWS is 6 or 12. A micro-kernel keeps a tile of C in registers,
 * `rows` x `panels` panels of 16 columns, while it walks down k and reads B in its own type. A chain over k cannot be
 * cut, so the independent chains that hide the multiply-add's latency (4 cycles, two a cycle: 8 registers of C) must
 * come from rows and columns: the fewer rows, the more panels side by side.
 */
#include "gemm/gemm.h"

#include <string.h>

#include "base/avx2.h"
#include "base/cpu.h"
#include "gemm/gemm_pack_avx2.h"

enum {
    VECTOR = 8,
    VECTORS = GEMM_NR / VECTOR, /* registers in one row of a panel */
    MAX_ROWS = GEMM_256_ROWS,
    MAX_PANELS = 4,
    MAX_C = MAX_ROWS * VECTORS,
    /* Bytes ahead in the same panel or, in a row-major B, in the same row: both are what is read next. */
    PREFETCH = 3072
};

/* Most panels side by side, by the rows of the tile. */
static const int widest[13] = {0, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1};

/* One register tile: a, b and c point at its first row and column. */
typedef void micro_fn(const struct gemm_block *g, const float *a, const char *b, float *c, ptrdiff_t ldc);

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

/* Panels outside, rows inside: a panel is fetched once and stays in the first-level cache for all rows. */
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

#define GEMM_256_TABLE(title, features)                                                                                \
    {                                                                                                                  \
        .name = title,                                                                                                 \
        .needs = features,                                                                                             \
        .block = {[MMARN_F16] = block_f16, [MMARN_BF16] = block_bf16, [MMARN_F32] = block_f32},                        \
        .pack_kn = {[MMARN_F16] = gemm_pack_kn16_avx2,                                                                 \
                    [MMARN_BF16] = gemm_pack_kn16_avx2,                                                                \
                    [MMARN_F32] = gemm_pack_kn32_avx2,                                                                 \
                    [MMARN_I8] = gemm_pack_kn8_avx2,                                                                   \
                    [MMARN_I4] = gemm_pack_kn4_avx2},                                                                  \
        .pack_nk = {[MMARN_F16] = gemm_pack_nk16_avx2,                                                                 \
                    [MMARN_BF16] = gemm_pack_nk16_avx2,                                                                \
                    [MMARN_F32] = gemm_pack_nk32_avx2,                                                                 \
                    [MMARN_I8] = gemm_pack_nk8_avx2,                                                                   \
                    [MMARN_I4] = gemm_pack_nk4_avx2},                                                                  \
    }
