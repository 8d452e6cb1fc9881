/* SPDX-License-Identifier: MIT */
/*
 * expand_few_table.h - the end of a file of micro-kernels that expand weights in registers: it makes their table.
 * Define before including it:
 *   MAX_ROWS, MAX_PANELS   the largest tile
 *   WIDEST(ROW, ...)       its shapes, as defined in gemm/kernel/walk.h
 *   micro(...)             one register tile; `adds` says whether offsets take an addition of their own
 *   adds_offset(...)       whether they do, by the types and the run
 *   prescale(dtype)        the power of two by which load_weights() has multiplied weights
 */
#include "base/cpu.h"
#include "gemm/kernel/walk.h"

struct tiles {
    const struct expand_few *g;
    int32_t dtype, x_dtype;
    struct expand_factors *factors; /* of the panels that are being multiplied */
};

static void enter(const void *block, int panel, int panels)
{
    const struct tiles *tiles = block;
    expand_factors_find(prescale(tiles->dtype), tiles->x_dtype, &tiles->g->run, panel * GEMM_NR, panels * GEMM_NR,
                        tiles->factors);
}

#define DEFINE(rows, panels, type, adds)                                                                               \
    WALK_MICRO(micro_##type##_##adds##_##rows##x##panels)                                                              \
    {                                                                                                                  \
        const struct tiles *tiles = block;                                                                             \
        (void)row;                                                                                                     \
        micro(tiles->g, tiles->factors, a, b, c, ldc, MMARN_##type, adds, rows, panels);                               \
    }
#define ENTRY(rows, panels, type, adds) [rows][panels] = micro_##type##_##adds##_##rows##x##panels,
WIDEST(WALK_SHAPES, DEFINE, I8, 0)
WIDEST(WALK_SHAPES, DEFINE, I8, 1)
WIDEST(WALK_SHAPES, DEFINE, I4, 0)
WIDEST(WALK_SHAPES, DEFINE, I4, 1)
/* By dtype, and by whether offsets take an addition. */
static walk_micro_fn *const micros[DTYPE_COUNT][2][MAX_ROWS + 1][MAX_PANELS + 1] = {
    [MMARN_I8] = {{WIDEST(WALK_SHAPES, ENTRY, I8, 0)}, {WIDEST(WALK_SHAPES, ENTRY, I8, 1)}},
    [MMARN_I4] = {{WIDEST(WALK_SHAPES, ENTRY, I4, 0)}, {WIDEST(WALK_SHAPES, ENTRY, I4, 1)}}};

static const int widest[MAX_ROWS + 1] = {0, WIDEST(WALK_MOST, _)};
static const struct walk_shapes shapes = {MAX_ROWS, MAX_PANELS, widest};

static bool few(int32_t dtype, int32_t x_dtype, const struct expand_few *g)
{
    struct expand_factors factors;
    const struct tiles tiles = {g, dtype, x_dtype, &factors};
    if (!expand_is_quick(x_dtype, &g->run))
        return false;
    const struct walk all = {
        .block = &tiles,
        .a = g->a,
        .b = g->run.b,
        .c = g->c,
        .row_bytes = g->lda * (ptrdiff_t)sizeof *g->a,
        .panel_bytes = gemm_bytes(dtype, g->run.panel_stride),
        .ldc = g->ldc,
        .m = g->m,
        .n = g->run.n,
        .first = g->first,
        .enter = enter,
    };
    walk(&all, &shapes, micros[dtype][adds_offset(dtype, x_dtype, &g->run)][0]);
    return true;
}

/* clang-format off */
#define PAIRS(X) X(I8, F16) X(I8, BF16) X(I8, F32) X(I4, F16) X(I4, BF16) X(I4, F32)
/* clang-format on */
#define DEFINE_FEW(type, x_type)                                                                                       \
    static bool few_##type##_##x_type(const struct expand_few *g)                                                      \
    {                                                                                                                  \
        return few(MMARN_##type, MMARN_##x_type, g);                                                                   \
    }
PAIRS(DEFINE_FEW)
#define FEW_ENTRY(type, x_type) [MMARN_##type][MMARN_##x_type] = few_##type##_##x_type,
#define EXPAND_FEW_TABLE(title, features)                                                                              \
    {                                                                                                                  \
        .name = title,                                                                                                 \
        .needs = features,                                                                                             \
        .few = {PAIRS(FEW_ENTRY)},                                                                                     \
    }
