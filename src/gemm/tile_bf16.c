/* SPDX-License-Identifier: MIT */
/*
 * tile_bf16.c - computes a block of a tile of bf16 with bf16 kernels, where they give the chain's bits: when no product
 * and no intermediate sum can be subnormal. docs/numerics.md derives that from the smallest numbers of x1's block and
 * of x2's piece. It must hold for this block of k and for all before it, whose sums are in C. Sums of integer weights
 * begin with each run of k, so there it must hold for the block alone.
 */
#include "gemm/tile.h"

#include <assert.h>

unsigned gemm_slice_min_exponent(const struct gemm_slice *t, const void *panels, int k, int n)
{
    const struct gemm_kernels *kernels = t->scratch->kernels;
    const ptrdiff_t count = (ptrdiff_t)gemm_panels(n) * gemm_panel(MMARN_BF16, k) / 2;
    if (!kernels->bf16.block || t->m < kernels->tiling->bf16_from_rows)
        return 0;
    return kernels->bf16.min_exponent(panels, count);
}

static void multiply_pairs(const struct gemm_slice *t, const struct float_block *block, int p)
{
    const struct bf16_block pairs = {
        .a = t->scratch->pairs + p / 2,
        .lda = t->lda / 2,
        .b = block->b,
        .panel_stride = block->panel_stride / 2,
        .c = block->c,
        .ldc = block->ldc,
        .m = block->m,
        .n = block->n,
        .k = (block->k + 1) / 2,
        .factors = block->factors,
        .first = block->first,
    };
    assert(block->paired && p % 2 == 0 && (block->k % 2 == 0 || p + block->k == t->k));
    t->scratch->kernels->bf16.block(&pairs);
}

bool gemm_slice_bf16(const struct gemm_slice *t, const struct float_block *block, int p, unsigned min_exponent)
{
    struct gemm_scratch *scratch = t->scratch;
    scratch->bf16_safe = scratch->bf16_safe && min_exponent > 0 && bf16_exact(gemm_slice_pairs(t), min_exponent);
    if (scratch->bf16_safe)
        multiply_pairs(t, block, p);
    return scratch->bf16_safe;
}

bool gemm_slice_pairs_integers(const struct gemm_slice *t)
{
    enum { ONE = 127 /* its exponent field: that of the smallest integer that is not zero */ };
    return t->weights->x_dtype == MMARN_BF16 && t->scratch->kernels->bf16.block && bf16_exact(gemm_slice_pairs(t), ONE);
}

void gemm_slice_bf16_integers(const struct gemm_slice *t, const struct float_block *block, int p)
{
    assert(block->factors && gemm_slice_pairs_integers(t));
    multiply_pairs(t, block, p);
}
