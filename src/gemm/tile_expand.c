/* SPDX-License-Identifier: MIT */
/*
 * tile_expand.c - a piece of integer weights that are rounded to x1's type (gemm_weights.rounded): expanded once into
 * scratch, in fp32 or in pairs of bf16 for tile_bf16.c, they are an ordinary operand for all rows of x1.
 */
#include <assert.h>

#include "gemm/tile.h"

/* Rows of k expanded at a time if bf16 must lie in pairs. */
enum { STRIP = 128 };
_Static_assert(STRIP % GEMM_I4_ROWS == 0, "rows that belong together must not be split");

/* Expands the columns of one panel of the piece into pairs of bf16, through a strip of fp32 that stays in cache. */
static void pair_panel(const struct gemm_slice *t, const struct gemm_piece *panel, uint32_t *pairs)
{
    const struct gemm_weights *w = t->weights;
    float strip[STRIP * GEMM_NR];
    struct gemm_piece rows = *panel;
    for (int p = 0; p < panel->k; p = rows.k) {
        struct expand_run run;
        rows.k = gemm_smaller(p + STRIP, panel->k);
        for (int from = p; from < rows.k; from += run.k) {
            run = gemm_piece_run(t, &rows, from);
            t->scratch->kernels->expand[w->dtype][w->x_dtype](&run, strip + (from - p) * GEMM_NR, 0);
        }
        t->scratch->kernels->bf16.pair(strip, rows.k - p, pairs + p / 2 * GEMM_NR);
    }
}

/* Multiplies the piece with gemm_slice_bf16, if possible. */
static bool multiply_pairs(const struct gemm_slice *t, const struct gemm_piece *piece)
{
    uint32_t *pairs = (uint32_t *)(void *)t->scratch->expanded;
    const ptrdiff_t panel = gemm_panel(MMARN_BF16, piece->k);
    if (t->weights->x_dtype != MMARN_BF16 || !t->scratch->kernels->bf16.block || !t->scratch->bf16_safe)
        return false;
    for (int j = 0; j < piece->n; j += GEMM_NR) {
        const struct gemm_piece columns = gemm_piece_panel(t, piece, j);
        pair_panel(t, &columns, pairs + j / GEMM_NR * panel / 2);
    }
    const struct float_block block = {
        .b = pairs,
        .panel_stride = panel,
        .c = t->c + piece->j,
        .ldc = t->ldc,
        .m = t->m,
        .n = piece->n,
        .k = piece->k,
        .first = t->k0 + piece->p == 0,
        .paired = true,
    };
    return gemm_slice_bf16(t, &block, piece->p, gemm_slice_min_exponent(t, pairs, piece->k, piece->n));
}

void gemm_piece_expand(const struct gemm_slice *t, const struct gemm_piece *piece)
{
    const struct gemm_weights *w = t->weights;
    expand_fn *expand = t->scratch->kernels->expand[w->dtype][w->x_dtype];
    struct expand_run run;
    if (multiply_pairs(t, piece))
        return;
    for (int from = 0; from < piece->k; from += run.k) {
        run = gemm_piece_run(t, piece, from);
        expand(&run, t->scratch->expanded + (ptrdiff_t)from * GEMM_NR, (ptrdiff_t)piece->k * GEMM_NR);
    }
    const struct float_block block = {
        .a = (const float *)gemm_slice_x1(t) + piece->p,
        .lda = t->lda,
        .b = t->scratch->expanded,
        .k_stride = GEMM_NR,
        .panel_stride = (ptrdiff_t)piece->k * GEMM_NR,
        .c = t->c + piece->j,
        .ldc = t->ldc,
        .m = t->m,
        .n = piece->n,
        .k = piece->k,
        .first = t->k0 + piece->p == 0,
    };
    t->scratch->kernels->block[MMARN_F32](&block);
}
