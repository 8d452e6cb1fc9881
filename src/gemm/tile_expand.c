/* SPDX-License-Identifier: MIT */
/*
 * tile_expand.c - makes floats of a piece of integer weights, in scratch: fp32, or pairs of bf16. They are the integers
 * themselves, or weights rounded to x1's type (gemm_weights.rounded).
 */
#include "gemm/tile.h"

/* Rows of k that are fp32 at a time on their way to pairs: 8 KiB, which stay in cache. */
enum { STRIP = 128 };
_Static_assert(STRIP % GEMM_I4_ROWS == 0, "rows that belong together must not be split");

/* k rows from row p of the piece on, as fp32. */
static void expand_rows(const struct gemm_slice *t, const struct gemm_piece *piece, int p, int k, float *dst,
                        ptrdiff_t panel_stride)
{
    const struct gemm_weights *w = t->weights;
    const struct gemm_kernels *kernels = t->scratch->kernels;
    struct gemm_piece rows = *piece;
    struct expand_run run;
    if (!w->rounded) {
        const char *b = (const char *)piece->b + gemm_bytes(w->dtype, (int64_t)p * GEMM_NR);
        kernels->widen[w->dtype](b, piece->panel_stride, k, piece->n, dst, panel_stride);
        return;
    }
    rows.k = p + k;
    for (int from = p; from < rows.k; from += run.k) {
        run = gemm_piece_run(t, &rows, from);
        kernels->expand[w->dtype][w->x_dtype](&run, dst + (ptrdiff_t)(from - p) * GEMM_NR, panel_stride);
    }
}

/* The piece's columns j .. j + GEMM_NR. */
static struct gemm_piece panel_of(const struct gemm_slice *t, const struct gemm_piece *piece, int j)
{
    struct gemm_piece panel = *piece;
    panel.j += j;
    panel.n = gemm_smaller(GEMM_NR, piece->n - j);
    panel.b = (const char *)piece->b + gemm_bytes(t->weights->dtype, j / GEMM_NR * piece->panel_stride);
    return panel;
}

void gemm_piece_expand(const struct gemm_slice *t, const struct gemm_piece *piece, bool paired)
{
    float *expanded = t->scratch->expanded, strip[STRIP * GEMM_NR];
    uint32_t *pairs = (uint32_t *)(void *)expanded;
    if (!paired) {
        expand_rows(t, piece, 0, piece->k, expanded, gemm_panel(MMARN_F32, piece->k));
        return;
    }
    for (int j = 0; j < piece->n; j += GEMM_NR, pairs += gemm_panel(MMARN_BF16, piece->k) / 2) {
        const struct gemm_piece panel = panel_of(t, piece, j);
        for (int p = 0; p < piece->k; p += STRIP) {
            const int k = gemm_smaller(STRIP, piece->k - p);
            expand_rows(t, &panel, p, k, strip, 0);
            t->scratch->kernels->bf16.pair(strip, k, pairs + p / 2 * GEMM_NR);
        }
    }
}
