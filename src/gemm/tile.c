/* SPDX-License-Identifier: MIT */
/*
 * tile.c - computes one tile of C in blocks that fit the caches, over any kernel. k is cut into blocks. A block of x1
 * is converted once, when first used, to the form that kernels read, and is then multiplied with the columns of x2:
 *   packed                the kernel reads the panels as they are;
 *   borrowed, many rows   the columns are packed into scratch piece by piece, and each piece is used for all rows;
 *   borrowed, few rows    x2 is read once, in strips, because packing would cost more than the multiplications; a strip
 *                         of rows continues the one before, so if there are several chains, each is made in scratch;
 *   integers              with x1 in floats, in tile_quant.c and tile_expand.c.
 * Panels of bf16 go to tile_bf16.c first, if the processor has such instructions. C carries the chain, or the sum of
 * chains, of each element from block to block, so no choice made here changes a bit of it.
 */
#include "gemm/tile.h"

#include <assert.h>
#include <string.h>

#include "base/float_env.h"
#include "base/memory.h"

enum {
    PADDING = 16, /* keeps the rows of x1 in scratch from mapping to one set of the cache */
    X1_ELEMENTS = GEMM_MOST_ROWS * (GEMM_MOST_BLOCK + PADDING)
};

_Static_assert(GEMM_PIECE_ELEMENTS / GEMM_NR >= GEMM_MOST_BLOCK_FEW, "a ragged panel must fit scratch");
_Static_assert(X1_ELEMENTS - GEMM_MOST_ROWS * PADDING >= GEMM_MOST_FEW_ELEMENTS, "long blocks of x1 must fit scratch");

struct gemm_scratch *gemm_scratch_create(void)
{
    struct gemm_scratch *scratch = memory_alloc(1, sizeof *scratch);
    if (!scratch)
        return NULL;
    scratch->kernels = gemm_kernels_best();
    scratch->x1 = memory_alloc(X1_ELEMENTS, sizeof(float));
    scratch->pairs = memory_alloc(X1_ELEMENTS / 2, sizeof(uint32_t));
    scratch->piece = memory_alloc(GEMM_PIECE_ELEMENTS, sizeof(float));
    scratch->expanded = memory_alloc(GEMM_PIECE_ELEMENTS, sizeof(float));
    scratch->sums = memory_alloc(GEMM_MOST_ROWS * GEMM_MOST_RUNS, sizeof(float));
    if (!scratch->x1 || !scratch->pairs || !scratch->piece || !scratch->expanded || !scratch->sums) {
        gemm_scratch_destroy(scratch);
        return NULL;
    }
    return scratch;
}

void gemm_scratch_destroy(struct gemm_scratch *scratch)
{
    if (!scratch)
        return;
    memory_free(scratch->x1);
    memory_free(scratch->pairs);
    memory_free(scratch->piece);
    memory_free(scratch->expanded);
    memory_free(scratch->sums);
    memory_free(scratch);
}

void gemm_scratch_reset(struct gemm_scratch *scratch)
{
    scratch->converted.x1 = scratch->paired.x1 = scratch->summed.x1 = NULL;
}

/* Columns j .. j + n of rows p .. p + k of the slice, in the form that kernels read. */
struct operand {
    int p, k, j, n;
    const void *b;
    ptrdiff_t k_stride, panel_stride;
    bool in_place;         /* row-major, the caller's own */
    unsigned min_exponent; /* as in struct gemm_weights */
};

static void multiply_i8(const struct gemm_slice *t, const struct operand *right)
{
    const struct i8_block block = {
        .a = (const char *)gemm_slice_x1(t) + right->p * gemm_x1_bytes(t->scratch, MMARN_I8),
        .lda = t->lda,
        .b = right->b,
        .k_stride = right->k_stride,
        .panel_stride = right->panel_stride,
        .c = (int32_t *)(void *)(t->c + right->j),
        .ldc = t->ldc,
        .m = t->m,
        .n = right->n,
        .k = right->k,
        .first = t->k0 + right->p == 0,
        .interleaved = !right->in_place,
    };
    t->scratch->kernels->i8.block(&block);
}

/* Rows of k in a chain; 0: all. */
static int chain_of(const struct gemm_weights *weights)
{
    return weights->dtype == MMARN_F16 || weights->dtype == MMARN_F32 ? GEMM_CHAIN : 0;
}

static void multiply(const struct gemm_slice *t, const struct operand *right)
{
    assert(right->k > 0 && right->p + right->k <= t->k && right->n > 0 && right->j + right->n <= t->n);
    if (t->weights->dtype == MMARN_I8) {
        multiply_i8(t, right);
        return;
    }
    struct float_block block = {
        .lda = t->lda,
        .b = right->b,
        .k_stride = right->k_stride,
        .panel_stride = right->panel_stride,
        .c = t->c + right->j,
        .ldc = t->ldc,
        .m = t->m,
        .n = right->n,
        .k = right->k,
        .chain = right->in_place ? 0 : chain_of(t->weights),
        .first = t->k0 + right->p == t->from,
        .paired = !right->in_place,
    };
    if (!right->in_place && gemm_slice_bf16(t, &block, right->p, right->min_exponent))
        return;
    block.a = (const float *)gemm_slice_x1(t) + right->p;
    t->scratch->kernels->block[t->weights->dtype](&block);
}

static void multiply_packed(const struct gemm_slice *t)
{
    const struct gemm_weights *w = t->weights;
    const struct operand panels = {.k = t->k,
                                   .n = t->n,
                                   .b = gemm_weights_panel(w, t->k0, t->col),
                                   .k_stride = GEMM_NR,
                                   .panel_stride = gemm_panel(w->dtype, w->k),
                                   .min_exponent = w->min_exponent};
    multiply(t, &panels);
}

void gemm_slice_pack(const struct gemm_slice *t, int p, int k, int j, int n)
{
    gemm_weights_pack_piece(t->weights, t->k0 + p, k, t->col + j, n, t->scratch->piece);
}

/* The same for borrowed weights, copied into panels first. */
static void multiply_piece(const struct gemm_slice *t, int p, int k, int j, int n)
{
    struct operand piece = {.p = p,
                            .k = k,
                            .j = j,
                            .n = n,
                            .b = t->scratch->piece,
                            .k_stride = GEMM_NR,
                            .panel_stride = gemm_panel(t->weights->dtype, k)};
    gemm_slice_pack(t, p, k, j, n);
    piece.min_exponent = t->weights->dtype == MMARN_BF16 ? gemm_slice_min_exponent(t, piece.b, k, n) : 0;
    multiply(t, &piece);
}

static void multiply_pieces(const struct gemm_slice *t, int strip_k, int strip_n)
{
    for (int j = 0; j < t->n; j += strip_n)
        for (int p = 0; p < t->k; p += strip_k)
            multiply_piece(t, p, gemm_smaller(strip_k, t->k - p), j, gemm_smaller(strip_n, t->n - j));
}

/*
 * Continues from C over rows p0 .. end. Kernels read whole panels, so only the ragged end of the matrix itself, if it
 * is in this tile, must be copied first.
 */
static void multiply_strips(const struct gemm_slice *t, int p0, int end)
{
    const int64_t rest = t->weights->n - t->col;
    const int whole = rest % GEMM_NR && t->n > rest - rest % GEMM_NR ? (int)(rest - rest % GEMM_NR) : t->n;
    const int strip_k = t->scratch->kernels->tiling->in_place_k;
    for (int p = p0; p < end && whole > 0; p += strip_k) {
        const struct operand strip = {.p = p,
                                      .k = gemm_smaller(strip_k, end - p),
                                      .n = whole,
                                      .b = gemm_weights_at(t->weights, t->k0 + p, t->col),
                                      .k_stride = t->weights->ld,
                                      .panel_stride = GEMM_NR,
                                      .in_place = true};
        multiply(t, &strip);
    }
    if (whole < t->n)
        multiply_piece(t, p0, end - p0, whole, t->n - whole);
}

static void add_chain(const struct gemm_slice *t, const struct gemm_slice *made)
{
    for (int i = 0; i < t->m; i++) {
        float *c = t->c + i * t->ldc;
        const float *sum = made->c + i * made->ldc;
        if (made->from == t->from)
            memcpy(c, sum, (size_t)t->n * sizeof *c);
        else
            for (int j = 0; j < t->n; j++)
                c[j] += sum[j];
    }
}

static void multiply_in_place(const struct gemm_slice *t)
{
    const int chain = chain_of(t->weights);
    if (chain == 0) {
        multiply_strips(t, 0, t->k);
        return;
    }
    struct gemm_slice columns = *t;
    for (int j = 0; j < t->n; j += columns.n) {
        columns.n = gemm_smaller(t->n - j, GEMM_PIECE_ELEMENTS / t->m / GEMM_NR * GEMM_NR);
        columns.col = t->col + j;
        columns.c = t->c + j;
        for (int p = 0; p < t->k; p += chain) {
            struct gemm_slice strip = columns;
            strip.c = t->scratch->expanded;
            strip.ldc = columns.n;
            strip.from = t->k0 + p;
            multiply_strips(&strip, p, gemm_smaller(p + chain, t->k));
            add_chain(&columns, &strip);
        }
    }
}

/*
 * Rows of k in a block of x1. If its elements take fewer bytes than fp32, the block has as many rows as take the same
 * bytes.
 */
static int find_block_k(const struct gemm_slice *t)
{
    const struct gemm_tiling *tiling = t->scratch->kernels->tiling;
    if (t->m <= tiling->pack_above_rows)
        return tiling->block_few_k;
    return tiling->block_k * (int)sizeof(float) / gemm_x1_bytes(t->scratch, t->weights->x_dtype);
}

/* For at most GEMM_MOST_ROWS rows. */
static void multiply_rows(struct gemm_slice *t)
{
    const struct gemm_tiling *tiling = t->scratch->kernels->tiling;
    const int64_t k = t->weights->k, k_block = find_block_k(t);
    t->scratch->bf16_safe = true;
    for (t->k0 = 0; t->k0 < k; t->k0 += k_block) {
        t->k = (int)(k - t->k0 < k_block ? k - t->k0 : k_block);
        t->lda = (t->k + PADDING - 1) / PADDING * PADDING + PADDING;
        if (t->weights->dtype != t->weights->x_dtype)
            gemm_slice_quant(t);
        else if (t->weights->layout == GEMM_PACKED)
            multiply_packed(t);
        else if (t->m > tiling->pack_above_rows)
            multiply_pieces(t, tiling->block_k, tiling->piece_n);
        else if (t->weights->layout == GEMM_KN)
            multiply_in_place(t);
        else
            multiply_pieces(t, tiling->transpose_k, tiling->transpose_n);
    }
}

/* The combinations of types of gemm.h, and scales as it says. */
static inline bool may_be_multiplied(const struct gemm_weights *w)
{
    const bool integers = w->dtype == MMARN_I8 || w->dtype == MMARN_I4;
    if (w->k <= 0 || w->dtype == w->x_dtype)
        return w->k > 0 && (w->dtype == MMARN_I8 || dtype_is_float(w->dtype));
    return integers && dtype_is_float(w->x_dtype) && w->scale && w->scale_ld == gemm_panels(w->n) * GEMM_NR &&
           w->group > 0 && (w->group == w->k || w->group % GEMM_GROUP == 0);
}

void gemm_tile(const struct gemm_weights *weights, struct gemm_scratch *scratch, const void *x1, int64_t row, int m,
               int64_t col, int n, float *c, ptrdiff_t ldc)
{
    assert(row >= 0 && m > 0 && col >= 0 && col % GEMM_NR == 0 && n > 0 && col + n <= weights->n && ldc >= n);
    assert(may_be_multiplied(weights) && float_env_holds());
    struct gemm_slice t = {.weights = weights, .scratch = scratch, .x1 = x1, .col = col, .n = n, .ldc = ldc};
    for (int i = 0; i < m; i += GEMM_MOST_ROWS) {
        t.m = gemm_smaller(GEMM_MOST_ROWS, m - i);
        t.row = row + i;
        t.c = c + i * ldc;
        multiply_rows(&t);
    }
}
