/* SPDX-License-Identifier: MIT */
/*
 * i8_table.h - the end of a file of int8 micro-kernels: run(), which cuts a block into them. Define before including
 * it:
 *   MAX_ROWS, MAX_PANELS   the largest tile
 *   WIDEST(ROW, ...)       its shapes, as defined in gemm/kernel/walk.h
 *   micro(...)             one register tile in the two forms of B; starts are the first values of its rows' sums
 */
#include "gemm/kernel/walk.h"

struct tiles {
    const struct i8_block *g;
    const int32_t *starts; /* by the rows of the block, or NULL if micro() does not use them */
};

#define DEFINE(rows, panels, interleaved)                                                                              \
    WALK_MICRO(micro_##interleaved##_##rows##x##panels)                                                                \
    {                                                                                                                  \
        const struct tiles *tiles = block;                                                                             \
        (void)column;                                                                                                  \
        micro(tiles->g, tiles->starts ? tiles->starts + row : NULL, a, b, c, ldc, interleaved, rows, panels);          \
    }
#define ENTRY(rows, panels, interleaved) [rows][panels] = micro_##interleaved##_##rows##x##panels,
WIDEST(WALK_SHAPES, DEFINE, 0)
WIDEST(WALK_SHAPES, DEFINE, 1)
static walk_micro_fn *const micros[2][MAX_ROWS + 1][MAX_PANELS + 1] = {{WIDEST(WALK_SHAPES, ENTRY, 0)},
                                                                       {WIDEST(WALK_SHAPES, ENTRY, 1)}};
static const int widest[MAX_ROWS + 1] = {0, WIDEST(WALK_MOST, _)};
static const struct walk_shapes shapes = {MAX_ROWS, MAX_PANELS, widest};

/* element: bytes of an element of A. */
static void run(const struct i8_block *g, const int32_t *starts, size_t element)
{
    const struct tiles tiles = {g, starts};
    struct walk all = WALK_OVER(g, element, g->panel_stride);
    all.block = &tiles;
    walk(&all, &shapes, micros[g->interleaved][0]);
}
