/* SPDX-License-Identifier: MIT */
/* float_ref.c - the definition of the kernels for float weights: plain C over the plain conversions, chains of fmaf. */
#include <math.h>
#include <string.h>

#include "base/convert.h"
#include "gemm/kernel/float_kernel.h"

/* Row p of a panel, or of a row-major B from the panel's first column on. */
static void load_row(int32_t dtype, const struct float_block *g, const char *panel, int p, float *row)
{
    uint16_t unpaired[GEMM_NR];
    const char *from = panel + p * g->k_stride * (ptrdiff_t)dtype_size(dtype);
    if (dtype == MMARN_BF16 && g->paired) {
        const uint16_t *pair = (const uint16_t *)(const void *)panel + p / 2 * 2 * GEMM_NR;
        for (int j = 0; j < GEMM_NR; j++)
            unpaired[j] = pair[2 * j + 1 - p % 2];
        from = (const char *)unpaired;
    }
    convert_kernels[0]->to_f32[dtype](from, row, GEMM_NR);
}

/* Rows of C at a time, for which a row of B is widened once. */
enum { ROWS = 8 };

/* Continues the sums of m rows from i on over the rows p0 .. p0 + k of the panel. */
static void carry(int32_t dtype, const struct float_block *g, const char *panel, int i, int m, int p0, int k,
                  float sums[ROWS][GEMM_NR])
{
    for (int p = p0; p < p0 + k; p++) {
        float b[GEMM_NR];
        load_row(dtype, g, panel, p, b);
        for (int r = 0; r < m; r++)
            for (int j = 0; j < GEMM_NR; j++)
                sums[r][j] = fmaf(g->a[(i + r) * g->lda + p], b[j], sums[r][j]);
    }
}

/* m rows from i on, and the columns of the panel at j0. */
static void rows(int32_t dtype, const struct float_block *g, const char *panel, int i, int m, int j0)
{
    const int columns = g->n - j0 < GEMM_NR ? g->n - j0 : GEMM_NR;
    const int chain = g->factors ? g->k : g->chain;
    float totals[ROWS][GEMM_NR] = {{0}}, *c = g->c + i * g->ldc + j0;
    for (int r = 0; r < m && !g->first; r++)
        memcpy(totals[r], c + r * g->ldc, (size_t)columns * sizeof(float));
    if (chain == 0)
        carry(dtype, g, panel, i, m, 0, g->k, totals);
    for (int p = 0; chain && p < g->k; p += chain) {
        float sums[ROWS][GEMM_NR] = {{0}};
        carry(dtype, g, panel, i, m, p, g->k - p < chain ? g->k - p : chain, sums);
        for (int r = 0; r < m; r++)
            for (int j = 0; j < columns; j++) {
                const float sum = sums[r][j], total = totals[r][j];
                totals[r][j] = g->factors           ? factors_apply(g->factors, i + r, j0 + j, sum, total)
                               : g->first && p == 0 ? sum
                                                    : total + sum;
            }
    }
    for (int r = 0; r < m; r++)
        memcpy(c + r * g->ldc, totals[r], (size_t)columns * sizeof(float));
}

static void block(int32_t dtype, const struct float_block *g)
{
    for (int j = 0; j < g->n; j += GEMM_NR) {
        const char *panel = (const char *)g->b + j / GEMM_NR * g->panel_stride * (ptrdiff_t)dtype_size(dtype);
        for (int i = 0; i < g->m; i += ROWS)
            rows(dtype, g, panel, i, g->m - i < ROWS ? g->m - i : ROWS, j);
    }
}

static void block_f16(const struct float_block *g)
{
    block(MMARN_F16, g);
}

static void block_bf16(const struct float_block *g)
{
    block(MMARN_BF16, g);
}

static void block_f32(const struct float_block *g)
{
    block(MMARN_F32, g);
}

/* Many rows: 96 x 1024 fp32 of x1 fit a second-level cache beside the weights. Blocks of few rows may be longer. */
static const struct gemm_tiling tiling = {
    .block_k = 1024,
    .block_few_k = 4096,
    .pack_above_rows = 8,
    .piece_n = 128,
    .in_place_k = 8,
    .transpose_k = 1024,
    .transpose_n = 32,
    .quant_few_rows = 6,
    .quant_few_n = 64,
    .quant_few_kn_n = 256,
    .quant_few_kn_k = 512,
    .bf16_from_rows = 3,
};

const struct float_kernel float_ref = {
    .name = "ref",
    .needs = 0,
    .block = {[MMARN_F16] = block_f16, [MMARN_BF16] = block_bf16, [MMARN_F32] = block_f32},
    .tiling = &tiling,
};
