/*
 * quant_i8_walk.h - a block of int8 x int8 cut into register tiles, for the kernels that include it once they have what
 * gemm_walk.h asks for, micro() in the two forms of B, and struct left, what micro() reads of the rows of A, with
 * left_from(), the same from a later row on.
 */
#include "base/avx2.h"
#include "gemm/gemm_edge.h"

typedef void micro_fn(const struct quant_i8_block *g, struct left left, const int8_t *b, int32_t *c, ptrdiff_t ldc);

#define DEFINE(interleaved, rows, panels)                                                                              \
    static void micro_##interleaved##_##rows##x##panels(const struct quant_i8_block *g, struct left left,              \
                                                        const int8_t *b, int32_t *c, ptrdiff_t ldc)                    \
    {                                                                                                                  \
        micro(g, left, b, c, ldc, interleaved, rows, panels);                                                          \
    }
#define ENTRY(interleaved, rows, panels) [rows][panels] = micro_##interleaved##_##rows##x##panels,
SHAPES(DEFINE, 0)
SHAPES(DEFINE, 1)
static micro_fn *const micros[2][MAX_ROWS + 1][MAX_PANELS + 1] = {{SHAPES(ENTRY, 0)}, {SHAPES(ENTRY, 1)}};

/* The last columns, through a buffer. */
static void ragged(const struct quant_i8_block *g, micro_fn *kernel, struct left left, const int8_t *b, int32_t *c,
                   int rows)
{
    int32_t whole[MAX_ROWS * GEMM_NR] = {0};
    const int columns = g->n % GEMM_NR;
    if (!g->first)
        gemm_edge_copy(c, g->ldc, whole, GEMM_NR, rows, columns);
    kernel(g, left, b, whole, GEMM_NR);
    gemm_edge_copy(whole, GEMM_NR, c, g->ldc, rows, columns);
}

/* Panels outside, rows inside, as in gemm_walk.h. */
static void walk(const struct quant_i8_block *g, struct left all)
{
    const int full = g->n / GEMM_NR, tallest = avx2_piece(g->m, MAX_ROWS);
    for (int panel = 0, panels; panel * GEMM_NR < g->n; panel += panels) {
        panels = panel < full ? avx2_piece(full - panel, widest[tallest]) : 1;
        const int8_t *b = g->b + panel * g->panel_stride;
        for (int i = 0, rows; i < g->m; i += rows) {
            rows = avx2_piece(g->m - i, MAX_ROWS);
            micro_fn *kernel = micros[g->interleaved][rows][panels];
            const struct left left = left_from(all, g->lda, i);
            int32_t *c = g->c + i * g->ldc + (ptrdiff_t)panel * GEMM_NR;
            if (panel < full)
                kernel(g, left, b, c, g->ldc);
            else
                ragged(g, kernel, left, b, c, rows);
        }
    }
}
