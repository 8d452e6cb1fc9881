/*
 * gemm_tile.c - one tile of C by blocks that fit the caches, over any kernel. k is cut into blocks; a block of x1 is
 * converted once, when first used, to what kernels read, and then meets the columns of x2, wherever those lie:
 *   packed                the kernel reads the panels as they are;
 *   borrowed, many rows   the columns are packed into scratch piece by piece, and each piece is used for all rows;
 *   borrowed, few rows    x2 is read once, in strips: packing it would cost more than the multiplications; strips of
 *                         rows go on from each other, so where there are several chains each is made in scratch;
 *   to be expanded        in gemm_tile_quant.c.
 * Panels of bf16 go by gemm_tile_dot.c first, where the processor has such instructions. C carries each element's chain
 * or sum of chains from block to block, so no choice made here changes a bit of it.
 */
#include "gemm/gemm_tile.h"

#include <string.h>

#include "base/convert.h"
#include "base/memory.h"

enum {
    K_BLOCK_FEW = 4096,
    /* Rows of a block; taller tiles are cut. */
    MOST_ROWS = 96,
    /* Few rows, row-major: rows of k walked side by side, each a sequential stream that prefetchers can follow. */
    STRIP_KN = 8,
    /* Few rows, transposed: long runs along k, and enough columns for a few panels side by side. */
    STRIP_NK = 1024,
    STRIP_NK_N = 32,
    /* Keeps the rows of A from falling into one set of the cache. */
    PADDING = 16,
    A_ELEMENTS = MOST_ROWS * (GEMM_K_BLOCK + PADDING)
};

_Static_assert(K_BLOCK_FEW % GEMM_CHAIN == 0 && GEMM_K_BLOCK % GEMM_CHAIN == 0 && STRIP_NK % GEMM_CHAIN == 0,
               "a block of k must not split chains");
_Static_assert(K_BLOCK_FEW *GEMM_NR <= GEMM_PIECE_ELEMENTS, "a ragged panel must fit scratch");
_Static_assert(K_BLOCK_FEW % QUANT_I8_ROWS == 0 && GEMM_K_BLOCK % QUANT_I8_ROWS == 0,
               "a block of k must not split rows that panels interleave, four of int8 or two of int4");

struct gemm_scratch *gemm_scratch_create(void)
{
    struct gemm_scratch *scratch = memory_alloc(1, sizeof *scratch);
    if (!scratch)
        return NULL;
    scratch->kernel = gemm_kernel_best();
    scratch->quant = quant_kernel_best();
    scratch->dot = dot_kernel_best();
    scratch->a = memory_alloc(A_ELEMENTS, sizeof(float));
    scratch->pairs = memory_alloc(A_ELEMENTS / 2, sizeof(uint32_t));
    scratch->piece = memory_alloc(GEMM_PIECE_ELEMENTS, sizeof(float));
    scratch->expanded = memory_alloc(GEMM_PIECE_ELEMENTS, sizeof(float));
    if (!scratch->a || !scratch->pairs || !scratch->piece || !scratch->expanded) {
        gemm_scratch_destroy(scratch);
        return NULL;
    }
    return scratch;
}

void gemm_scratch_destroy(struct gemm_scratch *scratch)
{
    if (!scratch)
        return;
    memory_free(scratch->a);
    memory_free(scratch->pairs);
    memory_free(scratch->piece);
    memory_free(scratch->expanded);
    memory_free(scratch);
}

void gemm_scratch_reset(struct gemm_scratch *scratch)
{
    scratch->converted.x1 = scratch->paired.x1 = NULL;
}

/* Bytes that an element of int8 x1 takes in scratch. */
static int i8_bytes(const struct gemm_scratch *scratch)
{
    return scratch->quant->i8_wide ? sizeof(int16_t) : sizeof(int8_t);
}

static void *i8_at(const struct gemm_scratch *scratch, ptrdiff_t element)
{
    return (char *)scratch->a + element * i8_bytes(scratch);
}

static void convert_i8(const struct gemm_scratch *scratch, const int8_t *src, ptrdiff_t element, int count)
{
    void *dst = i8_at(scratch, element);
    if (!scratch->quant->i8_wide) {
        memcpy(dst, src, (size_t)count);
        return;
    }
    for (int i = 0; i < count; i++)
        ((int16_t *)dst)[i] = src[i];
}

const void *gemm_part_convert(const struct gemm_part *t)
{
    struct gemm_scratch *scratch = t->scratch;
    if (gemm_rows_held(&scratch->converted, t))
        return scratch->a;
    const int32_t dtype = t->weights->x_dtype;
    for (int i = 0; i < t->m; i++) {
        const void *from = (const char *)t->x1 + gemm_bytes(dtype, (t->row + i) * t->weights->k + t->k0);
        if (dtype == MMARN_I8)
            convert_i8(scratch, from, i * t->lda, t->k);
        else
            convert_to_f32(dtype, from, (float *)scratch->a + i * t->lda, (size_t)t->k);
    }
    return scratch->a;
}

/* Columns j .. j + n of rows p .. p + k of the part, as kernels read them. */
struct operand {
    int p, k, j, n;
    const void *b;
    ptrdiff_t k_stride, panel_stride;
    bool in_place;   /* row-major, the caller's own */
    unsigned lowest; /* as in struct gemm_weights */
};

static void multiply_i8(const struct gemm_part *t, const struct operand *right)
{
    const struct quant_i8_block block = {
        .a = (const char *)gemm_part_convert(t) + right->p * i8_bytes(t->scratch),
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
    t->scratch->quant->i8_block(&block);
}

/* Rows of k in a chain; 0: all. */
static int chain_of(const struct gemm_weights *weights)
{
    return weights->dtype == MMARN_F16 || weights->dtype == MMARN_F32 ? GEMM_CHAIN : 0;
}

static void multiply(const struct gemm_part *t, const struct operand *right)
{
    if (t->weights->dtype == MMARN_I8) {
        multiply_i8(t, right);
        return;
    }
    struct gemm_block block = {
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
    if (!right->in_place && gemm_part_dot(t, &block, right->p, right->lowest))
        return;
    block.a = (const float *)gemm_part_convert(t) + right->p;
    t->scratch->kernel->block[t->weights->dtype](&block);
}

static void multiply_packed(const struct gemm_part *t)
{
    const struct gemm_weights *w = t->weights;
    const ptrdiff_t panel = gemm_panel(w->dtype, w->k);
    const int64_t at = t->col / GEMM_NR * panel + t->k0 * GEMM_NR;
    const struct operand panels = {.k = t->k,
                                   .n = t->n,
                                   .b = (const char *)w->data + gemm_bytes(w->dtype, at),
                                   .k_stride = GEMM_NR,
                                   .panel_stride = panel,
                                   .lowest = w->lowest};
    multiply(t, &panels);
}

void gemm_part_pack(const struct gemm_part *t, int p, int k, int j, int n)
{
    gemm_weights_pack_piece(t->weights, t->k0 + p, k, t->col + j, n, t->scratch->piece);
}

/* The same for borrowed weights, copied into panels first. */
static void multiply_piece(const struct gemm_part *t, int p, int k, int j, int n)
{
    struct operand piece = {.p = p,
                            .k = k,
                            .j = j,
                            .n = n,
                            .b = t->scratch->piece,
                            .k_stride = GEMM_NR,
                            .panel_stride = gemm_panel(t->weights->dtype, k)};
    gemm_part_pack(t, p, k, j, n);
    piece.lowest = t->weights->dtype == MMARN_BF16 ? gemm_part_lowest(t, piece.b, k, n) : 0;
    multiply(t, &piece);
}

static void multiply_pieces(const struct gemm_part *t, int strip_k, int strip_n)
{
    for (int j = 0; j < t->n; j += strip_n)
        for (int p = 0; p < t->k; p += strip_k)
            multiply_piece(t, p, gemm_smaller(strip_k, t->k - p), j, gemm_smaller(strip_n, t->n - j));
}

/*
 * Goes on from C over rows p0 .. end. Kernels read whole panels: only the matrix's own ragged end, if it is in this
 * tile, must be copied first.
 */
static void multiply_strips(const struct gemm_part *t, int p0, int end)
{
    const int64_t rest = t->weights->n - t->col;
    const int whole = rest % GEMM_NR && t->n > rest - rest % GEMM_NR ? (int)(rest - rest % GEMM_NR) : t->n;
    for (int p = p0; p < end && whole > 0; p += STRIP_KN) {
        const struct operand strip = {.p = p,
                                      .k = gemm_smaller(STRIP_KN, end - p),
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

static void add_chain(const struct gemm_part *t, const struct gemm_part *made)
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

static void multiply_in_place(const struct gemm_part *t)
{
    const int chain = chain_of(t->weights);
    if (chain == 0) {
        multiply_strips(t, 0, t->k);
        return;
    }
    struct gemm_part columns = *t;
    for (int j = 0; j < t->n; j += columns.n) {
        columns.n = gemm_smaller(t->n - j, GEMM_PIECE_ELEMENTS / GEMM_FEW_ROWS);
        columns.col = t->col + j;
        columns.c = t->c + j;
        for (int p = 0; p < t->k; p += chain) {
            struct gemm_part part = columns;
            part.c = t->scratch->expanded;
            part.ldc = columns.n;
            part.from = t->k0 + p;
            multiply_strips(&part, p, gemm_smaller(p + chain, t->k));
            add_chain(&columns, &part);
        }
    }
}

/* Rows of k in a block of x1: for int8, as many as take the bytes that GEMM_K_BLOCK takes in fp32. */
static int find_k_block(const struct gemm_part *t)
{
    if (t->m <= GEMM_FEW_ROWS)
        return K_BLOCK_FEW;
    return t->weights->x_dtype == MMARN_I8 ? GEMM_K_BLOCK * (int)sizeof(float) / i8_bytes(t->scratch) : GEMM_K_BLOCK;
}

/* At most MOST_ROWS rows. */
static void multiply_rows(struct gemm_part *t)
{
    const int64_t k = t->weights->k, k_block = find_k_block(t);
    t->scratch->on_grid = true;
    for (t->k0 = 0; t->k0 < k; t->k0 += k_block) {
        t->k = (int)(k - t->k0 < k_block ? k - t->k0 : k_block);
        t->lda = (t->k + PADDING - 1) / PADDING * PADDING + PADDING;
        if (t->weights->dtype != t->weights->x_dtype)
            gemm_part_quant(t);
        else if (t->weights->layout == GEMM_PACKED)
            multiply_packed(t);
        else if (t->m > GEMM_FEW_ROWS)
            multiply_pieces(t, GEMM_K_BLOCK, GEMM_PIECE_N);
        else if (t->weights->layout == GEMM_KN)
            multiply_in_place(t);
        else
            multiply_pieces(t, STRIP_NK, STRIP_NK_N);
    }
}

void gemm_tile(const struct gemm_weights *weights, struct gemm_scratch *scratch, const void *x1, int64_t row, int m,
               int64_t col, int n, float *c, ptrdiff_t ldc)
{
    struct gemm_part t = {.weights = weights, .scratch = scratch, .x1 = x1, .col = col, .n = n, .ldc = ldc};
    for (int i = 0; i < m; i += MOST_ROWS) {
        t.m = gemm_smaller(MOST_ROWS, m - i);
        t.row = row + i;
        t.c = c + i * ldc;
        multiply_rows(&t);
    }
}
