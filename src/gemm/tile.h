/* SPDX-License-Identifier: MIT */
/*
 * tile.h - what the files tile*.c share: scratch memory, and the slice of a tile that they work on. A tile is cut into
 * slices of k; a slice is as long as a block of x1.
 */
#ifndef MMARN_GEMM_TILE_H
#define MMARN_GEMM_TILE_H

#include "gemm/gemm.h"
#include "gemm/kernel/kernels.h"

/* Rows of x1 in a block; taller tiles are cut. */
enum { GEMM_MOST_ROWS = 96 };

/* Groups of rows of k that share a scale are multiples of this. So a block of x1 has at most GEMM_MOST_RUNS runs. */
enum { GEMM_GROUP = 32, GEMM_MOST_RUNS = GEMM_MOST_BLOCK_FEW / GEMM_GROUP };

/* A block of x1: rows row .. row + m of k0 .. k0 + k; x1 is NULL if there is none. */
struct gemm_rows {
    const void *x1;
    int64_t row, k0;
    int m, k;
};

struct gemm_scratch {
    const struct gemm_kernels *kernels;
    void *x1;        /* a block of x1, as fp32, or for int8 x int8 as the kernel reads it */
    uint32_t *pairs; /* a block of x1 as bf16 kernels read it, and its smallest exponent field */
    unsigned pairs_min_exponent;
    struct gemm_rows converted, paired; /* which blocks `x1` and `pairs` hold */
    /* True while every slice of this tile was safe for bf16 kernels. Once false it stays false: C may then hold sums
       that they would flush to zero. */
    bool bf16_safe;
    void *piece;     /* of borrowed weights, packed */
    float *expanded; /* a piece of integer weights, in fp32 or pairs of bf16; for other weights, the sums of a chain */
    float *sums;     /* of a block of x1, over runs of k, and the block that they are of */
    struct gemm_rows summed;
};

/* The slice of a tile that belongs to one block of x1. */
struct gemm_slice {
    const struct gemm_weights *weights;
    struct gemm_scratch *scratch;
    const void *x1;
    int64_t row, k0, col;
    int m, n, k;
    ptrdiff_t lda; /* of scratch->x1, and twice that of scratch->pairs */
    float *c;
    ptrdiff_t ldc;
    int64_t from; /* the row of k at which c starts from zero */
};

/*
 * weights.c: the address of an element of a borrowed matrix; a k x n piece from there on, copied into panels; and the
 * address of a row of packed weights, in the panel that begins at a column.
 */
const void *gemm_weights_at(const struct gemm_weights *from, int64_t row, int64_t col);
void gemm_weights_pack_piece(const struct gemm_weights *from, int64_t row, int k, int64_t col, int n, void *dst);
const void *gemm_weights_panel(const struct gemm_weights *packed, int64_t row, int64_t col);

/* Copies rows p .. p + k, columns j .. j + n of the slice's borrowed weights into panels in scratch->piece. */
void gemm_slice_pack(const struct gemm_slice *t, int p, int k, int j, int n);

/*
 * tile_x1.c: makes sure that scratch->x1 holds the slice's block of x1, and returns it. Also the bytes of an element
 * there.
 */
const void *gemm_slice_x1(const struct gemm_slice *t);
int gemm_x1_bytes(const struct gemm_scratch *scratch, int32_t x_dtype);

/*
 * tile_x1.c: makes sure that scratch->pairs holds the slice's block of bf16 x1 in pairs. Returns its smallest exponent
 * field.
 */
unsigned gemm_slice_pairs(const struct gemm_slice *t);

/*
 * tile_bf16.c: the smallest exponent field of bf16 in panels, n columns of k rows, if the slice can use it; otherwise
 * 0.
 */
unsigned gemm_slice_min_exponent(const struct gemm_slice *t, const void *panels, int k, int n);

/*
 * tile_bf16.c: computes the block with a bf16 kernel, and with the rows of x1 from row p of the slice's k on. It
 * ignores block->a; b lies in panels of bf16, whose smallest exponent field is min_exponent, or 0 if not known. False:
 * bits might differ, or there is no such kernel, and nothing was done.
 */
bool gemm_slice_bf16(const struct gemm_slice *t, const struct float_block *block, int p, unsigned min_exponent);

/*
 * tile_x1.c: the sums of the slice's rows of x1 over the run of k that begins at row p of the slice, one for each row.
 * docs/numerics.md has their order.
 */
const float *gemm_slice_sums(const struct gemm_slice *t, int p);

/* tile_bf16.c: may pairs of the slice's bf16 x1 be multiplied with integers by bf16 kernels? They give the same bits.
 */
bool gemm_slice_pairs_integers(const struct gemm_slice *t);

/* tile_bf16.c: computes a block of integers, of which gemm_slice_pairs_integers() is true, like gemm_slice_bf16. */
void gemm_slice_bf16_integers(const struct gemm_slice *t, const struct float_block *block, int p);

/* tile_quant.c: how many rows of k from `row` on are in its run, at most k. */
int gemm_run_k(const struct gemm_weights *weights, int64_t row, int k);

/* tile_quant.c: multiplies a slice of integer weights with floats. */
void gemm_slice_quant(const struct gemm_slice *t);

/* Columns j .. j + n of rows p .. p + k of such a slice, in panels at b. */
struct gemm_piece {
    int p, k, j, n;
    const void *b;
    ptrdiff_t panel_stride;
};

/* tile_quant.c: the rows of k from row `from` of the piece to the end of their run or of the piece. */
struct expand_run gemm_piece_run(const struct gemm_slice *t, const struct gemm_piece *piece, int from);

/* tile_expand.c: makes floats of the piece in scratch->expanded: fp32 panels, or panels of bf16 if paired. */
void gemm_piece_expand(const struct gemm_slice *t, const struct gemm_piece *piece, bool paired);

static inline int gemm_smaller(int a, int b)
{
    return a < b ? a : b;
}

#endif
