/*
 * quant_expand_avx512.c - int8 and int4 panels expanded with AVX-512, a row of a panel at a time, as in
 * quant_expand_avx2.c: rounds as quant.h says, whatever the numbers, and quicker where they are easy.
 */
#include "gemm/quant_avx2.h"

#if defined(__x86_64__)

#include "base/avx512.h"

/* The first or second row of a pair. */
AVX2_INLINE __m512 load_weights(int32_t dtype, const char *pair, int row)
{
    const void *from = pair + (dtype == MMARN_I8 ? row * GEMM_NR : 0);
    const __m512i bytes = _mm512_cvtepi8_epi32(_mm_loadu_si128(from));
    if (dtype == MMARN_I8)
        return _mm512_cvtepi32_ps(bytes);
    return _mm512_cvtepi32_ps(row ? _mm512_srai_epi32(bytes, 4) : _mm512_srai_epi32(_mm512_slli_epi32(bytes, 28), 28));
}

/* What belongs to the columns of a panel. */
struct columns {
    __m512 scale, offset, first, second;
};

/* The first or second row of a pair. */
AVX2_INLINE void expand_row(int32_t dtype, int32_t x_dtype, const struct columns *columns, const char *pair, int row,
                            float *dst, bool has_offset, bool easy)
{
    __m512 u = load_weights(dtype, pair, row), w;
    if (has_offset)
        u = _mm512_add_ps(u, columns->offset);
    if (has_offset && x_dtype == MMARN_F16 && !easy)
        u = avx512_round(MMARN_F16, u);
    if (easy)
        w = _mm512_fmadd_ps(u, columns->second, _mm512_mul_ps(u, columns->first));
    else
        w = avx512_round(x_dtype, _mm512_mul_ps(u, columns->scale));
    _mm512_storeu_ps(dst, w);
}

AVX2_INLINE void expand_panel(int32_t dtype, int32_t x_dtype, const struct quant_run *run, const char *b, int column,
                              float *dst, bool has_offset, bool easy)
{
    const ptrdiff_t pair_bytes = dtype == MMARN_I8 ? 2 * GEMM_NR : GEMM_NR;
    struct quant_factors factors;
    quant_factors_avx2(1, x_dtype, run, column, GEMM_NR, &factors);
    const struct columns columns = {_mm512_loadu_ps(run->scale + column), _mm512_loadu_ps(factors.offset),
                                    _mm512_loadu_ps(factors.first), _mm512_loadu_ps(factors.second)};
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

#define DEFINE(name, dtype, x_dtype)                                                                                   \
    void quant_expand_##name##_avx512(const struct quant_run *run, float *dst, ptrdiff_t panel_stride)                 \
    {                                                                                                                  \
        expand(dtype, x_dtype, run, dst, panel_stride);                                                                \
    }
DEFINE(i8_f16, MMARN_I8, MMARN_F16)
DEFINE(i8_bf16, MMARN_I8, MMARN_BF16)
DEFINE(i8_f32, MMARN_I8, MMARN_F32)
DEFINE(i4_f16, MMARN_I4, MMARN_F16)
DEFINE(i4_bf16, MMARN_I4, MMARN_BF16)
DEFINE(i4_f32, MMARN_I4, MMARN_F32)

#endif
