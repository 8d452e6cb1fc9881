/* SPDX-License-Identifier: MIT */
/*
 * tile_expand.c - a slice of a tile whose weights are to be expanded, rounded as x1's type, piece by piece:
 *   many rows   a piece is expanded once into scratch, in fp32 or in pairs of bf16 for tile_bf16.c, and is then an
 *               ordinary operand for all rows;
 *   few rows    weights are expanded in registers right before they are multiplied, one group of rows of k at a time;
 *               if the kernel declines a group's scales, that group is expanded into scratch like any other piece.
 * Borrowed weights are packed first, because the later steps read only panels.
 */
#include "gemm/tile.h"

#include <assert.h>

enum {
    /* Rows of k expanded at a time if bf16 must lie in pairs. */
    STRIP = 128,
    /* Bytes to prefetch ahead if the next piece is not known. */
    AHEAD = 2048
};

_Static_assert(STRIP % 2 == 0, "pairs of rows must not be split");

/* Columns j .. j + n of rows p .. p + k of the slice, in panels at b. */
struct piece {
    int p, k, j, n;
    const void *b;
    ptrdiff_t panel_stride;
};

static struct piece pack_or_find_piece(const struct gemm_slice *t, int p, int k, int j, int n)
{
    const struct gemm_weights *w = t->weights;
    struct piece piece = {.p = p, .k = k, .j = j, .n = n};
    if (w->layout == GEMM_PACKED) {
        piece.panel_stride = gemm_panel(w->dtype, w->k);
        piece.b = gemm_weights_panel(w, t->k0 + p, t->col + j);
    } else {
        /* Whole panels up to the end of the matrix: an odd end would split a byte. */
        const int64_t whole = gemm_panels(n) * GEMM_NR, left = w->n - t->col - j;
        gemm_slice_pack(t, p, k, j, (int)(whole < left ? whole : left));
        piece.b = t->scratch->piece;
        piece.panel_stride = gemm_panel(w->dtype, k);
    }
    return piece;
}

/* The rows of k from row `from` of the piece to the end of their group or of the piece. */
static struct expand_run next_run(const struct gemm_slice *t, const struct piece *piece, int from)
{
    const struct gemm_weights *w = t->weights;
    const int64_t row = t->k0 + piece->p + from, group = row / w->group;
    assert(from < piece->k && (w->dtype != MMARN_I4 || from % 2 == 0));
    const int64_t in_group = (group + 1) * w->group - row, values = group * w->scale_ld + t->col + piece->j;
    return (struct expand_run){
        .b = (const char *)piece->b + gemm_bytes(w->dtype, (int64_t)from * GEMM_NR),
        .panel_stride = piece->panel_stride,
        .scale = w->scale + values,
        .offset = w->offset ? w->offset + values : NULL,
        .n = piece->n,
        .k = in_group < piece->k - from ? (int)in_group : piece->k - from,
    };
}

/* Multiplies rows p .. p + k of the block with the first k expanded rows of the piece. */
static void multiply_expanded(const struct gemm_slice *t, const struct piece *piece, int p, int k)
{
    const struct float_block block = {
        .a = (const float *)gemm_slice_x1(t) + p,
        .lda = t->lda,
        .b = t->scratch->expanded,
        .k_stride = GEMM_NR,
        .panel_stride = (ptrdiff_t)piece->k * GEMM_NR,
        .c = t->c + piece->j,
        .ldc = t->ldc,
        .m = t->m,
        .n = piece->n,
        .k = k,
        .first = t->k0 + p == 0,
    };
    t->scratch->kernels->block[MMARN_F32](&block);
}

/* Expands columns j .. j + GEMM_NR of the piece into pairs of bf16, through a strip of fp32 that stays in cache. */
static void pair_panel(const struct gemm_slice *t, const struct piece *piece, int j, uint32_t *pairs)
{
    const struct gemm_weights *w = t->weights;
    float strip[STRIP * GEMM_NR];
    struct piece rows = *piece;
    rows.j += j;
    rows.n = gemm_smaller(GEMM_NR, piece->n - j);
    rows.b = (const char *)piece->b + gemm_bytes(w->dtype, j / GEMM_NR * piece->panel_stride);
    for (int p = 0; p < piece->k; p = rows.k) {
        struct expand_run run;
        rows.k = gemm_smaller(p + STRIP, piece->k);
        for (int from = p; from < rows.k; from += run.k) {
            run = next_run(t, &rows, from);
            t->scratch->kernels->expand[w->dtype][w->x_dtype](&run, strip + (from - p) * GEMM_NR, 0);
        }
        t->scratch->kernels->bf16.pair(strip, rows.k - p, pairs + p / 2 * GEMM_NR);
    }
}

/* Multiplies the piece with gemm_slice_bf16, if possible. */
static bool multiply_pairs(const struct gemm_slice *t, const struct piece *piece)
{
    uint32_t *pairs = (uint32_t *)(void *)t->scratch->expanded;
    const ptrdiff_t panel = gemm_panel(MMARN_BF16, piece->k);
    if (t->weights->x_dtype != MMARN_BF16 || !t->scratch->kernels->bf16.block || !t->scratch->bf16_safe)
        return false;
    for (int j = 0; j < piece->n; j += GEMM_NR)
        pair_panel(t, piece, j, pairs + j / GEMM_NR * panel / 2);
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

static void multiply_many(const struct gemm_slice *t, const struct piece *piece)
{
    const struct gemm_weights *w = t->weights;
    expand_fn *expand = t->scratch->kernels->expand[w->dtype][w->x_dtype];
    struct expand_run run;
    if (multiply_pairs(t, piece))
        return;
    for (int from = 0; from < piece->k; from += run.k) {
        run = next_run(t, piece, from);
        expand(&run, t->scratch->expanded + (ptrdiff_t)from * GEMM_NR, (ptrdiff_t)piece->k * GEMM_NR);
    }
    multiply_expanded(t, piece, piece->p, piece->k);
}

/* The distance in bytes to the piece that is read next, so that it is prefetched while this one is multiplied. */
static ptrdiff_t next_piece(const struct gemm_slice *t, const struct piece *piece)
{
    if (t->weights->layout != GEMM_PACKED)
        return 0;
    if (piece->p + piece->k < t->k)
        return gemm_bytes(t->weights->dtype, (int64_t)piece->k * GEMM_NR);
    if (piece->j + piece->n < t->n)
        return gemm_bytes(t->weights->dtype, piece->n / GEMM_NR * piece->panel_stride - (int64_t)piece->p * GEMM_NR);
    return AHEAD;
}

static void multiply_few(const struct gemm_slice *t, const struct piece *piece)
{
    const struct gemm_weights *w = t->weights;
    const struct gemm_kernels *kernels = t->scratch->kernels;
    struct expand_few block = {
        .lda = t->lda, .c = t->c + piece->j, .ldc = t->ldc, .ahead = next_piece(t, piece), .m = t->m};
    for (int from = 0; from < piece->k; from += block.run.k) {
        const int p = piece->p + from;
        block.run = next_run(t, piece, from);
        block.a = (const float *)gemm_slice_x1(t) + p;
        block.first = t->k0 + p == 0;
        if (kernels->few[w->dtype][w->x_dtype](&block))
            continue;
        kernels->expand[w->dtype][w->x_dtype](&block.run, t->scratch->expanded, (ptrdiff_t)piece->k * GEMM_NR);
        multiply_expanded(t, piece, p, block.run.k);
    }
}

void gemm_slice_expand(const struct gemm_slice *t)
{
    const struct gemm_tiling *tiling = t->scratch->kernels->tiling;
    const bool few = t->m <= tiling->expand_few_rows, wide = few && t->weights->layout == GEMM_KN;
    const int width = wide ? tiling->expand_few_kn_n : few ? tiling->expand_few_n : tiling->piece_n;
    const int depth = wide ? tiling->expand_few_kn_k : tiling->block_k;
    for (int j = 0; j < t->n; j += width)
        for (int p = 0; p < t->k; p += depth) {
            struct piece piece =
                pack_or_find_piece(t, p, gemm_smaller(depth, t->k - p), j, gemm_smaller(width, t->n - j));
            if (few)
                multiply_few(t, &piece);
            else
                multiply_many(t, &piece);
        }
}
