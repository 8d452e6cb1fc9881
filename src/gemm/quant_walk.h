/*
 * quant_walk.h - a few rows against a run of integer weights, cut into register tiles, for the kernels that include it.
 * By then they have what gemm_walk.h asks for, micro() in the two forms with and without an addition of offsets;
 * adds_offset(), which says where the first is needed; and factor_up(), what the factors must make up for.
 */
#include "base/avx2.h"
#include "base/cpu.h"
#include "gemm/gemm_edge.h"

/* One register tile: a, b and c point at its first row and column. */
typedef void micro_fn(const struct quant_block *g, const struct quant_factors *f, const float *a, const char *b,
                      float *c, ptrdiff_t ldc);

#define DEFINE(type, adds, rows, panels)                                                                               \
    static void micro_##type##_##adds##_##rows##x##panels(const struct quant_block *g, const struct quant_factors *f,  \
                                                          const float *a, const char *b, float *c, ptrdiff_t ldc)      \
    {                                                                                                                  \
        micro(g, f, a, b, c, ldc, MMARN_##type, adds, rows, panels);                                                   \
    }
#define ENTRY(type, adds, rows, panels) [rows][panels] = micro_##type##_##adds##_##rows##x##panels,
SHAPES(DEFINE, I8, 0)
SHAPES(DEFINE, I8, 1)
SHAPES(DEFINE, I4, 0)
SHAPES(DEFINE, I4, 1)
/* By dtype, and by whether offsets take an addition. */
static micro_fn *const micros[DTYPE_COUNT][2][MAX_ROWS + 1][MAX_PANELS + 1] = {
    [MMARN_I8] = {{SHAPES(ENTRY, I8, 0)}, {SHAPES(ENTRY, I8, 1)}},
    [MMARN_I4] = {{SHAPES(ENTRY, I4, 0)}, {SHAPES(ENTRY, I4, 1)}}};

/* The last columns, through a buffer. */
static void ragged(const struct quant_block *g, const struct quant_factors *f, micro_fn *kernel, const float *a,
                   const char *b, float *c, int rows)
{
    float whole[MAX_ROWS * GEMM_NR] = {0};
    const int columns = g->run.n % GEMM_NR;
    if (!g->first)
        gemm_edge_copy(c, g->ldc, whole, GEMM_NR, rows, columns);
    kernel(g, f, a, b, whole, GEMM_NR);
    gemm_edge_copy(whole, GEMM_NR, c, g->ldc, rows, columns);
}

AVX2_INLINE bool block(int32_t dtype, int32_t x_dtype, const struct quant_block *g)
{
    const int full = g->run.n / GEMM_NR, tallest = avx2_piece(g->m, MAX_ROWS);
    micro_fn *const(*shapes)[MAX_PANELS + 1] = micros[dtype][adds_offset(dtype, x_dtype, &g->run)];
    struct quant_factors f;
    if (!quant_easy_avx2(x_dtype, &g->run))
        return false;
    for (int panel = 0, panels; panel * GEMM_NR < g->run.n; panel += panels) {
        panels = panel < full ? avx2_piece(full - panel, widest[tallest]) : 1;
        const char *b = (const char *)g->run.b + gemm_bytes(dtype, panel * g->run.panel_stride);
        quant_factors_avx2(factor_up(dtype), x_dtype, &g->run, panel * GEMM_NR, panels * GEMM_NR, &f);
        for (int i = 0, rows; i < g->m; i += rows) {
            rows = avx2_piece(g->m - i, MAX_ROWS);
            const float *a = g->a + i * g->lda;
            float *c = g->c + i * g->ldc + (ptrdiff_t)panel * GEMM_NR;
            if (panel < full)
                shapes[rows][panels](g, &f, a, b, c, g->ldc);
            else
                ragged(g, &f, shapes[rows][1], a, b, c, rows);
        }
    }
    return true;
}

/* clang-format off */
#define PAIRS(X)                                                        \
    X(I8, F16, i8_f16) X(I8, BF16, i8_bf16) X(I8, F32, i8_f32)          \
    X(I4, F16, i4_f16) X(I4, BF16, i4_bf16) X(I4, F32, i4_f32)
/* clang-format on */
#define DEFINE_BLOCK(type, x_type, name)                                                                               \
    static bool block_##name(const struct quant_block *g)                                                              \
    {                                                                                                                  \
        return block(MMARN_##type, MMARN_##x_type, g);                                                                 \
    }
PAIRS(DEFINE_BLOCK)
#define EXPAND_avx2(type, x_type, name)   [MMARN_##type][MMARN_##x_type] = quant_expand_##name##_avx2,
#define EXPAND_avx512(type, x_type, name) [MMARN_##type][MMARN_##x_type] = quant_expand_##name##_avx512,
#define BLOCK(type, x_type, name)         [MMARN_##type][MMARN_##x_type] = block_##name,

#define QUANT_TABLE(level, features, wide)                                                                             \
    {                                                                                                                  \
        .name = #level,                                                                                                \
        .needs = features,                                                                                             \
        .i8_block = quant_i8_block_##level,                                                                            \
        .i8_interleave = quant_i8_interleave_##level,                                                                  \
        .i8_wide = wide,                                                                                               \
        .expand = {PAIRS(EXPAND_##level)},                                                                             \
        .block = {PAIRS(BLOCK)},                                                                                       \
    }
