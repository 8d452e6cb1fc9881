/* SPDX-License-Identifier: MIT */
/*
 * expand_table.h - the end of a file that expands weights into memory: it walks the panels of a run, one group of rows
 * (a line) at a time, and makes the table. Define before including it:
 *   struct columns         the values of a panel's columns
 *   load_columns(...)      reads those
 *   expand_row(...)        expands a row of a group
 */
#include "base/cpu.h"

enum { EXPAND_AHEAD = 2048 /* bytes: what few rows of x1 read next of the same panel */ };

ALWAYS_INLINE void expand_panel(int32_t dtype, int32_t x_dtype, const struct expand_run *run, const char *b, int column,
                                float *dst, bool has_offset, bool quick)
{
    const int step = integers_rows(dtype);
    const struct columns columns = load_columns(x_dtype, run, column);
    int k = run->k;
    for (; k >= step; k -= step, b += INTEGERS_LINE, dst += step * GEMM_NR) {
        prefetch_ahead(b, EXPAND_AHEAD);
#pragma GCC unroll 8
        for (int p = 0; p < step; p++)
            expand_row(dtype, x_dtype, &columns, b, p, 0, dst + p * GEMM_NR, has_offset, quick);
    }
    for (int p = 0; p < k; p++)
        expand_row(dtype, x_dtype, &columns, b, p, 1, dst + p * GEMM_NR, has_offset, quick);
}

ALWAYS_INLINE void expand(int32_t dtype, int32_t x_dtype, const struct expand_run *run, float *dst,
                          ptrdiff_t panel_stride)
{
    const bool quick = x_dtype != MMARN_F32 && expand_is_quick(x_dtype, run);
    const char *b = run->b;
    for (int j = 0; j < run->n; j += GEMM_NR, dst += panel_stride) {
        if (run->offset && quick)
            expand_panel(dtype, x_dtype, run, b, j, dst, true, true);
        else if (run->offset)
            expand_panel(dtype, x_dtype, run, b, j, dst, true, false);
        else if (quick)
            expand_panel(dtype, x_dtype, run, b, j, dst, false, true);
        else
            expand_panel(dtype, x_dtype, run, b, j, dst, false, false);
        b += gemm_bytes(dtype, run->panel_stride);
    }
}

/* clang-format off */
#define PAIRS(X) X(I8, F16) X(I8, BF16) X(I8, F32) X(I4, F16) X(I4, BF16) X(I4, F32)
/* clang-format on */
#define DEFINE_EXPAND(type, x_type)                                                                                    \
    static void expand_##type##_##x_type(const struct expand_run *run, float *dst, ptrdiff_t panel_stride)             \
    {                                                                                                                  \
        expand(MMARN_##type, MMARN_##x_type, run, dst, panel_stride);                                                  \
    }
PAIRS(DEFINE_EXPAND)
#define EXPAND_ENTRY(type, x_type) [MMARN_##type][MMARN_##x_type] = expand_##type##_##x_type,
#define EXPAND_TABLE(title, features)                                                                                  \
    {                                                                                                                  \
        .name = title,                                                                                                 \
        .needs = features,                                                                                             \
        .expand = {PAIRS(EXPAND_ENTRY)},                                                                               \
    }
