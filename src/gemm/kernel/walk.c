/* SPDX-License-Identifier: MIT */
/*
 * walk.c - the outer loop is over panels, the inner loop over rows, so panels are fetched once and stay in the caches
 * for all rows. The last columns, fewer than a panel, go through a buffer of a whole panel, so that no column of C
 * beyond n is touched.
 */
#include "gemm/kernel/walk.h"

#include <assert.h>
#include <string.h>

enum { MOST_ROWS = 16, ELEMENT = 4 /* bytes of C: fp32 and int32 alike */ };

/* The next piece of `left` when it is cut into the fewest pieces of at most `most`, of sizes as equal as possible. */
static int piece(int left, int most)
{
    const int pieces = (left + most - 1) / most;
    return (left + pieces - 1) / pieces;
}

static void copy(const char *from, ptrdiff_t ld_from, char *to, ptrdiff_t ld_to, int rows, int columns)
{
    for (int i = 0; i < rows; i++)
        memcpy(to + i * ld_to * ELEMENT, from + i * ld_from * ELEMENT, (size_t)columns * ELEMENT);
}

static void ragged(const struct walk *w, walk_micro_fn *micro, int row, const void *a, const void *b, char *c, int rows)
{
    _Alignas(64) char whole[MOST_ROWS * GEMM_NR * ELEMENT] = {0};
    const int columns = w->n % GEMM_NR;
    if (!w->first)
        copy(c, w->ldc, whole, GEMM_NR, rows, columns);
    micro(w->block, row, w->n - columns, a, b, whole, GEMM_NR);
    copy(whole, GEMM_NR, c, w->ldc, rows, columns);
}

void walk(const struct walk *w, const struct walk_shapes *shapes, walk_micro_fn *const *micros)
{
    assert(w->m > 0 && w->n > 0 && shapes->most_rows <= MOST_ROWS);
    const int full = w->n / GEMM_NR, tallest = piece(w->m, shapes->most_rows);
    for (int panel = 0, panels; panel * GEMM_NR < w->n; panel += panels) {
        panels = panel < full ? piece(full - panel, shapes->widest[tallest]) : 1;
        const void *b = (const char *)w->b + panel * w->panel_bytes;
        for (int row = 0, rows; row < w->m; row += rows) {
            rows = piece(w->m - row, shapes->most_rows);
            walk_micro_fn *micro = micros[rows * (shapes->most_panels + 1) + panels];
            assert(micro);
            const void *a = (const char *)w->a + row * w->row_bytes;
            char *c = (char *)w->c + (row * w->ldc + (ptrdiff_t)panel * GEMM_NR) * ELEMENT;
            if (panel < full)
                micro(w->block, row, panel * GEMM_NR, a, b, c, w->ldc);
            else
                ragged(w, micro, row, a, b, c, rows);
        }
    }
}
