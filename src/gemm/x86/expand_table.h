/* SPDX-License-Identifier: MIT */
/*
 * expand_table.h - the end of a file that expands weights into memory: it walks the panels of a run, one pair of rows
 * at a time, and makes the table. Define before including it:
 *   struct columns         the values of a panel's columns
 *   load_columns(...)      reads those
 *   expand_row(...)        expands the first or second row of a pair
 */
#include "base/cpu.h"

ALWAYS_INLINE void expand_panel(int32_t dtype, int32_t x_dtype, const struct expand_run *run, const char *b, int column,
                                float *dst, bool has_offset, bool quick)
{
    const ptrdiff_t pair_bytes = dtype == MMARN_I8 ? 2 * GEMM_NR : GEMM_NR;
    const struct columns columns = load_columns(x_dtype, run, column);
    int p = 0;
    for (; p + 1 < run->k; p += 2, b += pair_bytes, dst += 2 * GEMM_NR) {
        expand_row(dtype, x_dtype, &columns, b, 0, dst, has_offset, quick);
        expand_row(dtype, x_dtype, &columns, b, 1, dst + GEMM_NR, has_offset, quick);
    }
    if (p < run->k)
        expand_row(dtype, x_dtype, &columns, b, 0, dst, has_offset, quick);
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
        b += dtype == MMARN_I8 ? run->panel_stride : run->panel_stride / 2;
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
