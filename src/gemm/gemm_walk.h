/*
 * gemm_walk.h - a block cut into register tiles, for the matmul kernels of x86-64, which include it at their end. By
 * then they have MAX_ROWS and MAX_PANELS of a tile; `widest`, the most panels side by side by the rows of the tile;
 * SHAPES, every shape that it allows; and chain(), one chain of a tile. Here they become the table of kernels.
 */
#include "base/avx2.h"
#include "base/cpu.h"
#include "gemm/gemm_edge.h"
#include "gemm/gemm_pack_avx2.h"

typedef void micro_fn(const struct gemm_block *g, const float *a, const char *b, float *c, ptrdiff_t ldc);

/* One register tile: a, b and c point at its first row and column. */
AVX2_INLINE void micro(const struct gemm_block *g, const float *a, const char *b, float *c, ptrdiff_t ldc,
                       int32_t dtype, bool paired, int rows, int panels)
{
    const int longest = g->chain ? g->chain : g->k;
    for (int p = 0; p < g->k; p += longest) {
        const int k = g->k - p < longest ? g->k - p : longest;
        chain(g, a + p, b + p * g->k_stride * (ptrdiff_t)dtype_size(dtype), c, ldc, dtype, paired, rows, panels, k,
              g->first && p == 0);
    }
}

#define DEFINE(type, paired, rows, panels)                                                                             \
    static void micro_##type##_##paired##_##rows##x##panels(const struct gemm_block *g, const float *a, const char *b, \
                                                            float *c, ptrdiff_t ldc)                                   \
    {                                                                                                                  \
        micro(g, a, b, c, ldc, MMARN_##type, paired, rows, panels);                                                    \
    }
#define ENTRY(type, paired, rows, panels) [rows][panels] = micro_##type##_##paired##_##rows##x##panels,
SHAPES(DEFINE, F16, 0)
SHAPES(DEFINE, BF16, 0)
SHAPES(DEFINE, BF16, 1)
SHAPES(DEFINE, F32, 0)
/* By dtype, and by whether rows of k lie in pairs. */
static micro_fn *const micros[DTYPE_COUNT][2][MAX_ROWS + 1][MAX_PANELS + 1] = {
    [MMARN_F16] = {{SHAPES(ENTRY, F16, 0)}},
    [MMARN_BF16] = {{SHAPES(ENTRY, BF16, 0)}, {SHAPES(ENTRY, BF16, 1)}},
    [MMARN_F32] = {{SHAPES(ENTRY, F32, 0)}}};

/* The last columns, through a buffer. */
static void ragged(const struct gemm_block *g, micro_fn *kernel, const float *a, const char *b, float *c, int rows)
{
    float whole[MAX_ROWS * GEMM_NR] = {0};
    const int columns = g->n % GEMM_NR;
    if (!g->first)
        gemm_edge_copy(c, g->ldc, whole, GEMM_NR, rows, columns);
    kernel(g, a, b, whole, GEMM_NR);
    gemm_edge_copy(whole, GEMM_NR, c, g->ldc, rows, columns);
}

/* Panels outside, rows inside: panels are fetched once and stay in the caches for all rows. */
static void block(const struct gemm_block *g, int32_t dtype)
{
    const ptrdiff_t panel_bytes = g->panel_stride * (ptrdiff_t)dtype_size(dtype);
    const int full = g->n / GEMM_NR, tallest = avx2_piece(g->m, MAX_ROWS);
    micro_fn *const(*shapes)[MAX_PANELS + 1] = micros[dtype][dtype == MMARN_BF16 && g->paired];
    for (int panel = 0, panels; panel * GEMM_NR < g->n; panel += panels) {
        panels = panel < full ? avx2_piece(full - panel, widest[tallest]) : 1;
        const char *b = (const char *)g->b + panel * panel_bytes;
        for (int i = 0, rows; i < g->m; i += rows) {
            rows = avx2_piece(g->m - i, MAX_ROWS);
            micro_fn *kernel = shapes[rows][panels];
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

#define GEMM_TABLE(title, features)                                                                                    \
    {                                                                                                                  \
        .name = title,                                                                                                 \
        .needs = features,                                                                                             \
        .block = {[MMARN_F16] = block_f16, [MMARN_BF16] = block_bf16, [MMARN_F32] = block_f32},                        \
        .pack_kn = {[MMARN_F16] = gemm_pack_kn16_avx2,                                                                 \
                    [MMARN_BF16] = gemm_pack_kn_bf16_avx2,                                                             \
                    [MMARN_F32] = gemm_pack_kn32_avx2,                                                                 \
                    [MMARN_I8] = gemm_pack_kn8_avx2,                                                                   \
                    [MMARN_I4] = gemm_pack_kn4_avx2},                                                                  \
        .pack_nk = {[MMARN_F16] = gemm_pack_nk16_avx2,                                                                 \
                    [MMARN_BF16] = gemm_pack_nk_bf16_avx2,                                                             \
                    [MMARN_F32] = gemm_pack_nk32_avx2,                                                                 \
                    [MMARN_I8] = gemm_pack_nk8_avx2,                                                                   \
                    [MMARN_I4] = gemm_pack_nk4_avx2},                                                                  \
    }
