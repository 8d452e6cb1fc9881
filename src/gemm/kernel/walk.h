/* SPDX-License-Identifier: MIT */
/*
 * walk.h - a block of C cut into register tiles: the one loop that every matmul kernel shares, whatever its types and
 * instruction set. A kernel has a table with a micro-kernel for each shape of a tile, rows x panels, where panels is
 * the number of panels of GEMM_NR columns side by side. This file also has the macros that make such tables.
 *
 * A kernel lists once how many panels a tile of so many rows may have:
 *
 *     #define WIDEST(ROW, ...) ROW(1, 3, __VA_ARGS__) ROW(2, 2, __VA_ARGS__)
 *     static const int widest[] = {0, WIDEST(WALK_MOST, _)};
 *     WIDEST(WALK_SHAPES, X, f16)         stands for  X(1, 1, f16) X(1, 2, f16) X(1, 3, f16) X(2, 1, f16) X(2, 2, f16)
 */
#ifndef MMARN_GEMM_KERNEL_WALK_H
#define MMARN_GEMM_KERNEL_WALK_H

#include <stdbool.h>

#include "gemm/kernel/panels.h"

/* One register tile: a, b and c point at its first row and panel; `row` and `column` are its place in the block. */
typedef void walk_micro_fn(const void *block, int row, int column, const void *a, const void *b, void *c,
                           ptrdiff_t ldc);

/* The shapes of tiles. Tiles with fewer rows may have more panels, never fewer. */
struct walk_shapes {
    int most_rows, most_panels;
    const int *widest; /* most panels side by side, by the rows of the tile */
};

struct walk {
    const void *block; /* for the micro-kernels */
    const void *a, *b;
    void *c;                               /* 4-byte elements */
    ptrdiff_t row_bytes, panel_bytes, ldc; /* from one row of A and one panel of B to the next; in elements */
    int m, n;
    bool first; /* the micro-kernels do not read C */
};

/*
 * The walk over a block g of any type of kernels: `element` is the bytes of an element of A, panel_stride that from one
 * panel of B to the next.
 */
#define WALK_OVER(g, element, panel_stride)                                                                            \
    {.block = (g),                                                                                                     \
     .a = (g)->a,                                                                                                      \
     .b = (g)->b,                                                                                                      \
     .c = (g)->c,                                                                                                      \
     .row_bytes = (g)->lda * (ptrdiff_t)(element),                                                                     \
     .panel_bytes = (panel_stride),                                                                                    \
     .ldc = (g)->ldc,                                                                                                  \
     .m = (g)->m,                                                                                                      \
     .n = (g)->n,                                                                                                      \
     .first = (g)->first}

/* micros: [most_rows + 1][most_panels + 1]. */
void walk(const struct walk *walk, const struct walk_shapes *shapes, walk_micro_fn *const *micros);

/* The signature of a micro-kernel. */
#define WALK_MICRO(name)                                                                                               \
    static void name(const void *block, int row, int column, const void *a, const void *b, void *c, ptrdiff_t ldc)

#define WALK_MOST(rows, most, _)        most,
#define WALK_SHAPES(rows, most, X, ...) WALK_UP_TO_##most(rows, X, __VA_ARGS__)
#define WALK_UP_TO_1(rows, X, ...)      X(rows, 1, __VA_ARGS__)
#define WALK_UP_TO_2(rows, X, ...)      WALK_UP_TO_1(rows, X, __VA_ARGS__) X(rows, 2, __VA_ARGS__)
#define WALK_UP_TO_3(rows, X, ...)      WALK_UP_TO_2(rows, X, __VA_ARGS__) X(rows, 3, __VA_ARGS__)
#define WALK_UP_TO_4(rows, X, ...)      WALK_UP_TO_3(rows, X, __VA_ARGS__) X(rows, 4, __VA_ARGS__)
#define WALK_UP_TO_5(rows, X, ...)      WALK_UP_TO_4(rows, X, __VA_ARGS__) X(rows, 5, __VA_ARGS__)
#define WALK_UP_TO_6(rows, X, ...)      WALK_UP_TO_5(rows, X, __VA_ARGS__) X(rows, 6, __VA_ARGS__)
#define WALK_UP_TO_7(rows, X, ...)      WALK_UP_TO_6(rows, X, __VA_ARGS__) X(rows, 7, __VA_ARGS__)
#define WALK_UP_TO_8(rows, X, ...)      WALK_UP_TO_7(rows, X, __VA_ARGS__) X(rows, 8, __VA_ARGS__)

#endif
