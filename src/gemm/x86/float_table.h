/* SPDX-License-Identifier: MIT */
/*
 * float_table.h - the end of a file of float micro-kernels: it makes their table. Define before including it:
 *   MAX_ROWS, MAX_PANELS   the largest tile
 *   WIDEST(ROW, ...)       its shapes, as defined in gemm/kernel/walk.h
 *   chain(...)             one chain over k rows of a tile, added to C or continued from it
 */
#include "base/cpu.h"
#include "gemm/kernel/walk.h"

/* One register tile: a, b and c point at its first row and column. */
ALWAYS_INLINE void micro(const struct float_block *g, int row, int column, const float *a, const char *b, float *c,
                         ptrdiff_t ldc, int32_t dtype, bool paired, int rows, int panels)
{
    const int longest = g->chain ? g->chain : g->k;
    for (int p = 0; p < g->k; p += longest) {
        const int k = g->k - p < longest ? g->k - p : longest;
        chain(g, row, column, a + p, b + p * g->k_stride * (ptrdiff_t)dtype_size(dtype), c, ldc, dtype, paired, rows,
              panels, k, g->first && p == 0);
    }
}

#define DEFINE(rows, panels, type, paired)                                                                             \
    WALK_MICRO(micro_##type##_##paired##_##rows##x##panels)                                                            \
    {                                                                                                                  \
        micro(block, row, column, a, b, c, ldc, MMARN_##type, paired, rows, panels);                                   \
    }
#define ENTRY(rows, panels, type, paired) [rows][panels] = micro_##type##_##paired##_##rows##x##panels,
WIDEST(WALK_SHAPES, DEFINE, F16, 0)
WIDEST(WALK_SHAPES, DEFINE, BF16, 0)
WIDEST(WALK_SHAPES, DEFINE, BF16, 1)
WIDEST(WALK_SHAPES, DEFINE, F32, 0)
/* By dtype, and by whether rows of k lie in pairs. */
static walk_micro_fn *const micros[DTYPE_COUNT][2][MAX_ROWS + 1][MAX_PANELS + 1] = {
    [MMARN_F16] = {{WIDEST(WALK_SHAPES, ENTRY, F16, 0)}},
    [MMARN_BF16] = {{WIDEST(WALK_SHAPES, ENTRY, BF16, 0)}, {WIDEST(WALK_SHAPES, ENTRY, BF16, 1)}},
    [MMARN_F32] = {{WIDEST(WALK_SHAPES, ENTRY, F32, 0)}}};

static const int widest[MAX_ROWS + 1] = {0, WIDEST(WALK_MOST, _)};
static const struct walk_shapes shapes = {MAX_ROWS, MAX_PANELS, widest};

static void run(const struct float_block *g, int32_t dtype)
{
    const struct walk tiles = WALK_OVER(g, sizeof *g->a, g->panel_stride * (ptrdiff_t)dtype_size(dtype));
    walk(&tiles, &shapes, micros[dtype][dtype == MMARN_BF16 && g->paired][0]);
}

static void block_f16(const struct float_block *g)
{
    run(g, MMARN_F16);
}

static void block_bf16(const struct float_block *g)
{
    run(g, MMARN_BF16);
}

static void block_f32(const struct float_block *g)
{
    run(g, MMARN_F32);
}

#define FLOAT_TABLE(title, features)                                                                                   \
    {                                                                                                                  \
        .name = title,                                                                                                 \
        .needs = features,                                                                                             \
        .block = {[MMARN_F16] = block_f16, [MMARN_BF16] = block_bf16, [MMARN_F32] = block_f32},                        \
    }
