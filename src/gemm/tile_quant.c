/* SPDX-License-Identifier: MIT */
/*
 * tile_quant.c - a slice of a tile whose weights are integers and whose x1 is floats, piece by piece:
 *   many rows   a piece is expanded once into scratch (tile_expand.c), and each of its runs is then a block for all
 *               rows, whose sums are scaled as they are stored (kernel/factors.h);
 *   few rows    integers are widened in registers right before they are multiplied, one run of k at a time;
 *   rounded     a piece is expanded, and is then a block of float weights, for any number of rows.
 * Borrowed weights are packed first, because the later steps read only panels. Slices and pieces never split a run,
 * except those of rounded weights.
 */
#include <assert.h>

#include "gemm/tile.h"

enum {
    /* Rows of k that are rounded at a time for few rows of x1, so that they stay in the first-level cache. */
    ROUNDED_K = 128,
    /* Bytes to prefetch ahead if the next piece is not known. */
    AHEAD = 2048
};

static struct gemm_piece pack_or_find_piece(const struct gemm_slice *t, int p, int k, int j, int n)
{
    const struct gemm_weights *w = t->weights;
    struct gemm_piece piece = {.p = p, .k = k, .j = j, .n = n};
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

int gemm_run_k(const struct gemm_weights *weights, int64_t row, int k)
{
    const int64_t in_group = weights->group - row % weights->group, in_chain = GEMM_CHAIN - row % GEMM_CHAIN;
    const int64_t run = in_group < in_chain ? in_group : in_chain;
    return run < k ? (int)run : k;
}

struct expand_run gemm_piece_run(const struct gemm_slice *t, const struct gemm_piece *piece, int from)
{
    const struct gemm_weights *w = t->weights;
    const int64_t row = t->k0 + piece->p + from, values = row / w->group * w->scale_ld + t->col + piece->j;
    assert(from < piece->k && from % gemm_rows_together(w->dtype) == 0);
    return (struct expand_run){
        .b = (const char *)piece->b + gemm_bytes(w->dtype, (int64_t)from * GEMM_NR),
        .panel_stride = piece->panel_stride,
        .scale = w->scale + values,
        .offset = w->offset ? w->offset + values : NULL,
        .n = piece->n,
        .k = gemm_run_k(w, row, piece->k - from),
    };
}

static struct gemm_factors factors_of(const struct gemm_slice *t, const struct expand_run *run, int p)
{
    return (struct gemm_factors){
        .scale = run->scale, .offset = run->offset, .sums = run->offset ? gemm_slice_sums(t, p) : NULL};
}

/* k rows from row `from` of the piece on, which lie in scratch->expanded, times all rows of the slice. */
static struct float_block expanded_block(const struct gemm_slice *t, const struct gemm_piece *piece, int from, int k,
                                         bool paired)
{
    const int p = piece->p + from;
    return (struct float_block){
        .a = paired ? NULL : (const float *)gemm_slice_x1(t) + p,
        .lda = t->lda,
        .b = t->scratch->expanded + (ptrdiff_t)from * GEMM_NR / (paired ? 2 : 1),
        .k_stride = GEMM_NR,
        .panel_stride = gemm_panel(paired ? MMARN_BF16 : MMARN_F32, piece->k),
        .c = t->c + piece->j,
        .ldc = t->ldc,
        .m = t->m,
        .n = piece->n,
        .k = k,
        .first = t->k0 + p == 0,
        .paired = paired,
    };
}

/* Rounded weights: the piece is one block of float weights, in pairs if their bits are the same. */
static void multiply_rounded(const struct gemm_slice *t, const struct gemm_piece *piece)
{
    struct gemm_scratch *scratch = t->scratch;
    if (t->weights->x_dtype == MMARN_BF16 && scratch->kernels->bf16.block && scratch->bf16_safe) {
        gemm_piece_expand(t, piece, true);
        const struct float_block pairs = expanded_block(t, piece, 0, piece->k, true);
        if (gemm_slice_bf16(t, &pairs, piece->p, gemm_slice_min_exponent(t, pairs.b, piece->k, piece->n)))
            return;
    }
    gemm_piece_expand(t, piece, false);
    const struct float_block block = expanded_block(t, piece, 0, piece->k, false);
    scratch->kernels->block[MMARN_F32](&block);
}

static void multiply_many(const struct gemm_slice *t, const struct gemm_piece *piece)
{
    const bool paired = gemm_slice_pairs_integers(t);
    struct expand_run run;
    gemm_piece_expand(t, piece, paired);
    for (int from = 0; from < piece->k; from += run.k) {
        const int p = piece->p + from;
        run = gemm_piece_run(t, piece, from);
        const struct gemm_factors factors = factors_of(t, &run, p);
        struct float_block block = expanded_block(t, piece, from, run.k, paired);
        block.factors = &factors;
        if (paired)
            gemm_slice_bf16_integers(t, &block, p);
        else
            t->scratch->kernels->block[MMARN_F32](&block);
    }
}

/* The distance in bytes to the piece that is read next, so that it is prefetched while this one is multiplied. */
static ptrdiff_t next_piece(const struct gemm_slice *t, const struct gemm_piece *piece)
{
    if (t->weights->layout != GEMM_PACKED)
        return 0;
    if (piece->p + piece->k < t->k)
        return gemm_bytes(t->weights->dtype, (int64_t)piece->k * GEMM_NR);
    if (piece->j + piece->n < t->n)
        return gemm_bytes(t->weights->dtype, piece->n / GEMM_NR * piece->panel_stride - (int64_t)piece->p * GEMM_NR);
    return AHEAD;
}

static void multiply_few(const struct gemm_slice *t, const struct gemm_piece *piece)
{
    const int32_t dtype = t->weights->dtype;
    const struct gemm_kernels *kernels = t->scratch->kernels;
    const bool paired = kernels->few_pairs[dtype] && gemm_slice_pairs_integers(t);
    struct expand_run run;
    for (int from = 0; from < piece->k; from += run.k) {
        const int p = piece->p + from;
        run = gemm_piece_run(t, piece, from);
        const struct quant_block block = {
            .a = paired ? (const void *)(t->scratch->pairs + p / 2) : (const float *)gemm_slice_x1(t) + p,
            .lda = paired ? t->lda / 2 : t->lda,
            .b = run.b,
            .panel_stride = run.panel_stride,
            .factors = factors_of(t, &run, p),
            .c = t->c + piece->j,
            .ldc = t->ldc,
            .ahead = next_piece(t, piece),
            .m = t->m,
            .n = run.n,
            .k = run.k,
            .first = t->k0 + p == 0,
        };
        (paired ? kernels->few_pairs : kernels->few)[dtype](&block);
    }
}

void gemm_slice_quant(const struct gemm_slice *t)
{
    const struct gemm_tiling *tiling = t->scratch->kernels->tiling;
    const bool rounded = t->weights->rounded, few = t->m <= tiling->quant_few_rows;
    const bool wide = few && !rounded && t->weights->layout == GEMM_KN;
    const int width = wide ? tiling->quant_few_kn_n : few ? tiling->quant_few_n : tiling->piece_n;
    const int depth = wide ? tiling->quant_few_kn_k : few && rounded ? ROUNDED_K : tiling->block_k;
    for (int j = 0; j < t->n; j += width)
        for (int p = 0; p < t->k; p += depth) {
            struct gemm_piece piece =
                pack_or_find_piece(t, p, gemm_smaller(depth, t->k - p), j, gemm_smaller(width, t->n - j));
            if (rounded)
                multiply_rounded(t, &piece);
            else if (few)
                multiply_few(t, &piece);
            else
                multiply_many(t, &piece);
        }
}
