/* gemm_tile.h - what gemm_tile.c and gemm_tile_quant.c share: scratch, and the part of a tile that they work on. */
#ifndef MMARN_GEMM_GEMM_TILE_H
#define MMARN_GEMM_GEMM_TILE_H

#include "gemm/quant.h"

enum {
    /* Rows of k in a block of x1: 96 x 1024 fp32 fit a second-level cache beside weights; few rows may be longer, and
       so may int8. */
    GEMM_K_BLOCK = 1024,
    /* Many rows: columns packed or expanded at a time. */
    GEMM_PIECE_N = 128
};

struct gemm_scratch {
    const struct gemm_kernel *kernel;
    const struct quant_kernel *quant;
    void *a;         /* a block of x1, as fp32, or for int8 x int8 as the kernel reads it */
    void *piece;     /* of borrowed weights, packed */
    float *expanded; /* of weights to be expanded: a piece, in fp32 */
    /* Which block `a` holds: rows row .. row + m of k0 .. k0 + k; x1 is NULL when none. */
    const void *x1;
    int64_t row, k0;
    int m, k;
};

/* The part of a tile that belongs to one block of k. */
struct gemm_part {
    const struct gemm_weights *weights;
    struct gemm_scratch *scratch;
    int64_t k0, col;
    int m, n, k;
    ptrdiff_t lda;
    float *c;
    ptrdiff_t ldc;
};

/* gemm_weights.c: where a borrowed matrix has an element; and a k x n piece of it, from there on, copied into panels.
 */
const void *gemm_weights_at(const struct gemm_weights *from, int64_t row, int64_t col);
void gemm_weights_pack_piece(const struct gemm_weights *from, int64_t row, int k, int64_t col, int n, void *dst);

/* Copies rows p .. p + k, columns j .. j + n of the part's borrowed weights into panels in scratch->piece. */
void gemm_part_pack(const struct gemm_part *t, int p, int k, int j, int n);

/* gemm_tile_quant.c: multiplies a part whose weights are to be expanded. */
void gemm_part_quant(const struct gemm_part *t);

static inline int gemm_smaller(int a, int b)
{
    return a < b ? a : b;
}

#endif
