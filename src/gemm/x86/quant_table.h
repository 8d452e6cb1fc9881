/* SPDX-License-Identifier: MIT */
/*
 * quant_table.h - the end of a file of kernels for integer weights: it makes functions for int8 and int4 of micro() and
 * widen_panel(). Define before including it:
 *   MAX_ROWS, MAX_PANELS   the largest tile
 *   WIDEST(ROW, ...)       its shapes, as defined in gemm/kernel/walk.h
 *   micro(...)             one register tile
 *   widen_panel(...)       k rows of one panel as fp32
 */
#include "base/cpu.h"
#include "gemm/kernel/walk.h"

#define DEFINE(rows, panels, type)                                                                                     \
    WALK_MICRO(micro_##type##_##rows##x##panels)                                                                       \
    {                                                                                                                  \
        micro(block, row, column, a, b, c, ldc, MMARN_##type, rows, panels);                                           \
    }
#define ENTRY(rows, panels, type) [rows][panels] = micro_##type##_##rows##x##panels,
WIDEST(WALK_SHAPES, DEFINE, I8)
WIDEST(WALK_SHAPES, DEFINE, I4)
static walk_micro_fn *const micros[DTYPE_COUNT][MAX_ROWS + 1][MAX_PANELS + 1] = {
    [MMARN_I8] = {WIDEST(WALK_SHAPES, ENTRY, I8)}, [MMARN_I4] = {WIDEST(WALK_SHAPES, ENTRY, I4)}};
static const int widest[MAX_ROWS + 1] = {0, WIDEST(WALK_MOST, _)};
static const struct walk_shapes shapes = {MAX_ROWS, MAX_PANELS, widest};

static void few(int32_t dtype, const struct quant_block *g)
{
    const struct walk tiles = WALK_OVER(g, sizeof(float), gemm_bytes(dtype, g->panel_stride));
    walk(&tiles, &shapes, micros[dtype][0]);
}

static void few_i8(const struct quant_block *g)
{
    few(MMARN_I8, g);
}

static void few_i4(const struct quant_block *g)
{
    few(MMARN_I4, g);
}

static void widen_i8(const void *b, ptrdiff_t panel_stride, int k, int n, float *dst, ptrdiff_t dst_stride)
{
    for (int j = 0; j < n; j += GEMM_NR, dst += dst_stride)
        widen_panel(MMARN_I8, (const char *)b + j / GEMM_NR * panel_stride, k, dst);
}

static void widen_i4(const void *b, ptrdiff_t panel_stride, int k, int n, float *dst, ptrdiff_t dst_stride)
{
    for (int j = 0; j < n; j += GEMM_NR, dst += dst_stride)
        widen_panel(MMARN_I4, (const char *)b + j / GEMM_NR * panel_stride / 2, k, dst);
}

#define QUANT_TABLE(title, features)                                                                                   \
    {                                                                                                                  \
        .name = title,                                                                                                 \
        .needs = features,                                                                                             \
        .few = {[MMARN_I8] = few_i8, [MMARN_I4] = few_i4},                                                             \
        .widen = {[MMARN_I8] = widen_i8, [MMARN_I4] = widen_i4},                                                       \
    }
