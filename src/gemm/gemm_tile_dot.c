/*
 * gemm_tile_dot.c - a block of a tile of bf16 by the instructions of dot.h, where they give the chain's bits: when no
 * product, and no sum on the way, can be subnormal. docs/numerics.md derives that from the smallest numbers of x1's
 * block and of x2's piece; it must hold for this block of k and for all before it, whose sums come in with C.
 */
#include <limits.h>

#include "gemm/gemm_tile.h"

/* Sees to it that the scratch holds this block of x1 in pairs; its lowest exponent field. */
static unsigned pair_rows(const struct gemm_part *t)
{
    struct gemm_scratch *scratch = t->scratch;
    const int whole = t->k / 2, k = (t->k + 1) / 2;
    if (gemm_rows_held(&scratch->paired, t))
        return scratch->x1_lowest;
    scratch->x1_lowest = UINT_MAX;
    for (int i = 0; i < t->m; i++) {
        const uint16_t *from = (const uint16_t *)t->x1 + (t->row + i) * t->weights->k + t->k0;
        uint32_t *to = scratch->pairs + i * t->lda / 2;
        for (int q = 0; q < whole; q++)
            to[q] = (uint32_t)from[2 * q] << 16 | from[2 * q + 1];
        if (whole < k)
            to[whole] = (uint32_t)from[2 * whole] << 16;
        const unsigned lowest = scratch->dot->lowest(to, k);
        scratch->x1_lowest = lowest < scratch->x1_lowest ? lowest : scratch->x1_lowest;
    }
    return scratch->x1_lowest;
}

unsigned gemm_part_lowest(const struct gemm_part *t, const void *panels, int k, int n)
{
    const struct dot_kernel *dot = t->scratch->dot;
    const ptrdiff_t count = (ptrdiff_t)(n + GEMM_NR - 1) / GEMM_NR * gemm_panel(MMARN_BF16, k) / 2;
    return dot && t->m >= GEMM_DOT_ROWS ? dot->lowest(panels, count) : 0;
}

bool gemm_part_dot(const struct gemm_part *t, const struct gemm_block *block, int p, unsigned lowest)
{
    struct gemm_scratch *scratch = t->scratch;
    scratch->on_grid = scratch->on_grid && lowest > 0 && dot_exact(pair_rows(t), lowest);
    if (!scratch->on_grid)
        return false;
    const struct dot_block pairs = {
        .a = scratch->pairs + p / 2,
        .lda = t->lda / 2,
        .b = block->b,
        .panel_stride = block->panel_stride / 2,
        .c = block->c,
        .ldc = block->ldc,
        .m = block->m,
        .n = block->n,
        .k = (block->k + 1) / 2,
        .first = block->first,
    };
    scratch->dot->block(&pairs);
    return true;
}
