/* gemm_tile.h - what the files gemm_tile*.c share: scratch, and the part of a tile that they work on. */
#ifndef MMARN_GEMM_GEMM_TILE_H
#define MMARN_GEMM_GEMM_TILE_H

#include "gemm/dot.h"
#include "gemm/quant.h"

enum {
    /* Rows of k in a block of x1: 96 x 1024 fp32 fit a second-level cache beside weights; few rows may be longer, and
       so may int8. */
    GEMM_K_BLOCK = 1024,
    /* Up to so many rows weights are read once anyway: float ones are not packed for them, and longer blocks of x1 do.
     */
    GEMM_FEW_ROWS = 8,
    /* Up to so many rows weights are expanded in registers as they are multiplied; beyond, piece by piece before. */
    GEMM_FEW_ROWS_EXPANDED = 6,
    /* Rows from which on the quicker sums of dot.h make up for another look at a piece of x2. */
    GEMM_DOT_ROWS = 3,
    /* Many rows: columns packed or expanded at a time. */
    GEMM_PIECE_N = 128,
    GEMM_PIECE_ELEMENTS = GEMM_PIECE_N * GEMM_K_BLOCK
};

/* A block of x1: rows row .. row + m of k0 .. k0 + k; x1 is NULL when there is none. */
struct gemm_rows {
    const void *x1;
    int64_t row, k0;
    int m, k;
};

struct gemm_scratch {
    const struct gemm_kernel *kernel;
    const struct quant_kernel *quant;
    const struct dot_kernel *dot; /* NULL: none */
    void *a;                      /* a block of x1, as fp32, or for int8 x int8 as the kernel reads it */
    uint32_t *pairs;              /* a block of x1 as dot.h has it, with its lowest exponent field */
    unsigned x1_lowest;
    struct gemm_rows converted, paired; /* which blocks `a` and `pairs` hold */
    /* Has nothing in the tile at hand kept it from dot.h so far? Once it has, sums may be off the grid. */
    bool on_grid;
    void *piece;     /* of borrowed weights, packed */
    float *expanded; /* of weights to be expanded: a piece, in fp32; of others: a chain's sums */
};

/* The part of a tile that belongs to one block of k. */
struct gemm_part {
    const struct gemm_weights *weights;
    struct gemm_scratch *scratch;
    const void *x1;
    int64_t row, k0, col;
    int m, n, k;
    ptrdiff_t lda; /* of scratch->a, and twice that of scratch->pairs */
    float *c;
    ptrdiff_t ldc;
    int64_t from; /* the row of k at which c begins as zero */
};

/* gemm_weights.c: where a borrowed matrix has an element; and a k x n piece of it, from there on, copied into panels.
 */
const void *gemm_weights_at(const struct gemm_weights *from, int64_t row, int64_t col);
void gemm_weights_pack_piece(const struct gemm_weights *from, int64_t row, int k, int64_t col, int n, void *dst);

/* Copies rows p .. p + k, columns j .. j + n of the part's borrowed weights into panels in scratch->piece. */
void gemm_part_pack(const struct gemm_part *t, int p, int k, int j, int n);

/* Sees to it that scratch->a holds the part's block of x1; returns it. */
const void *gemm_part_convert(const struct gemm_part *t);

/* gemm_tile_dot.c: the lowest exponent field of bf16 in panels, n columns of k rows, where it is worth knowing for the
   part; otherwise 0. */
unsigned gemm_part_lowest(const struct gemm_part *t, const void *panels, int k, int n);

/*
 * gemm_tile_dot.c: the block by dot.h, with the rows of x1 from row p of the part's k on; block->a is not looked at,
 * and b lies in panels of bf16, whose lowest exponent field is `lowest`, or 0 when it is not known. False where bits
 * might differ, or there is no such kernel; then nothing was done.
 */
bool gemm_part_dot(const struct gemm_part *t, const struct gemm_block *block, int p, unsigned lowest);

/* gemm_tile_quant.c: multiplies a part whose weights are to be expanded. */
void gemm_part_quant(const struct gemm_part *t);

/* Does `held` name the part's block already? If not, now it does. */
static inline bool gemm_rows_held(struct gemm_rows *held, const struct gemm_part *t)
{
    if (held->x1 == t->x1 && held->row == t->row && held->k0 == t->k0 && held->k == t->k && held->m >= t->m)
        return true;
    *held = (struct gemm_rows){.x1 = t->x1, .row = t->row, .k0 = t->k0, .m = t->m, .k = t->k};
    return false;
}

static inline int gemm_smaller(int a, int b)
{
    return a < b ? a : b;
}

#endif
