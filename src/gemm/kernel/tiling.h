/* SPDX-License-Identifier: MIT */
/*
 * tiling.h - the block sizes and the thresholds of rows by which tile*.c cut their work; each is named for its
 * decision. A kernel has those that suit its processor; results do not depend on them. Sizes that ranks must have in
 * common, such as those of tiles (op/plan.c), do not belong here, because ranks may have different kernels.
 */
#ifndef MMARN_GEMM_KERNEL_TILING_H
#define MMARN_GEMM_KERNEL_TILING_H

struct gemm_tiling {
    /* Rows of k in a block of x1: for many rows of x1, in fp32 (more if the elements take fewer bytes), and for few
       rows. At most GEMM_MOST_BLOCK and GEMM_MOST_BLOCK_FEW, multiples of GEMM_CHAIN. */
    int block_k, block_few_k;
    /* For more rows of x1 than this, borrowed weights are packed piece by piece. For up to this many rows they are read
       in place, and blocks of x1 are long. */
    int pack_above_rows;
    /* Columns packed or expanded at a time for many rows: at most GEMM_MOST_PIECE_N. */
    int piece_n;
    /* Rows of a row-major x2 that are read side by side in place, each a sequential stream. */
    int in_place_k;
    /* Rows of k and columns of a piece of the transposed view that is packed for few rows. */
    int transpose_k, transpose_n;
    /* For up to this many rows of x1, integer weights are widened in registers. For more rows they are widened
       beforehand, piece by piece. */
    int quant_few_rows;
    /* Columns of such a piece; and its columns and rows of k if the weights are row-major. */
    int quant_few_n, quant_few_kn_n, quant_few_kn_k;
    /* From this many rows of x1 on, the bf16 kernels are tried: with fewer rows they do not make up for another look at
       x2. */
    int bf16_from_rows;
};

/* The limits of scratch memory (tile.h): rows of k and columns, elements of a piece of x2, and of few rows of x1. */
enum { GEMM_MOST_BLOCK = 1024, GEMM_MOST_BLOCK_FEW = 4096, GEMM_MOST_PIECE_N = 128 };
enum { GEMM_PIECE_ELEMENTS = GEMM_MOST_PIECE_N * GEMM_MOST_BLOCK, GEMM_MOST_FEW_ELEMENTS = 64 << 10 };

#endif
