/*
 * quant_expand_walk.h - the panels of a run expanded pair by pair of rows, for the kernels that include it once they
 * have struct columns, what belongs to the columns of a panel, load_columns(), and expand_row().
 */
#include "base/avx2.h"

AVX2_INLINE void expand_panel(int32_t dtype, int32_t x_dtype, const struct quant_run *run, const char *b, int column,
                              float *dst, bool has_offset, bool easy)
{
    const ptrdiff_t pair_bytes = dtype == MMARN_I8 ? 2 * GEMM_NR : GEMM_NR;
    const struct columns columns = load_columns(x_dtype, run, column);
    int p = 0;
    for (; p + 1 < run->k; p += 2, b += pair_bytes, dst += 2 * GEMM_NR) {
        expand_row(dtype, x_dtype, &columns, b, 0, dst, has_offset, easy);
        expand_row(dtype, x_dtype, &columns, b, 1, dst + GEMM_NR, has_offset, easy);
    }
    if (p < run->k)
        expand_row(dtype, x_dtype, &columns, b, 0, dst, has_offset, easy);
}

AVX2_INLINE void expand(int32_t dtype, int32_t x_dtype, const struct quant_run *run, float *dst, ptrdiff_t panel_stride)
{
    const bool easy = x_dtype != MMARN_F32 && quant_easy_avx2(x_dtype, run);
    const char *b = run->b;
    for (int j = 0; j < run->n; j += GEMM_NR, dst += panel_stride) {
        if (run->offset && easy)
            expand_panel(dtype, x_dtype, run, b, j, dst, true, true);
        else if (run->offset)
            expand_panel(dtype, x_dtype, run, b, j, dst, true, false);
        else if (easy)
            expand_panel(dtype, x_dtype, run, b, j, dst, false, true);
        else
            expand_panel(dtype, x_dtype, run, b, j, dst, false, false);
        b += dtype == MMARN_I8 ? run->panel_stride : run->panel_stride / 2;
    }
}

#define QUANT_EXPAND(level, name, dtype, x_dtype)                                                                      \
    void quant_expand_##name##_##level(const struct quant_run *run, float *dst, ptrdiff_t panel_stride)                \
    {                                                                                                                  \
        expand(dtype, x_dtype, run, dst, panel_stride);                                                                \
    }
#define QUANT_EXPAND_ALL(level)                                                                                        \
    QUANT_EXPAND(level, i8_f16, MMARN_I8, MMARN_F16)                                                                   \
    QUANT_EXPAND(level, i8_bf16, MMARN_I8, MMARN_BF16)                                                                 \
    QUANT_EXPAND(level, i8_f32, MMARN_I8, MMARN_F32)                                                                   \
    QUANT_EXPAND(level, i4_f16, MMARN_I4, MMARN_F16)                                                                   \
    QUANT_EXPAND(level, i4_bf16, MMARN_I4, MMARN_BF16)                                                                 \
    QUANT_EXPAND(level, i4_f32, MMARN_I4, MMARN_F32)
