/*
 * quant_expand_avx512.c - int8 and int4 panels expanded into panels of x1's type with AVX-512, a row of a panel at a
 * time, as in quant_expand_avx2.c: rounds as quant.h says, whatever the numbers, and quicker where they are easy.
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

/* u * scale in bf16, in the upper half of fp32; as in quant_factors_avx2.c. */
AVX2_INLINE void store_easy_bf16(void *dst, __m512 u, __m512 first, __m512 second)
{
    const __m512 w = _mm512_fmadd_ps(u, second, _mm512_mul_ps(u, first));
    _mm256_storeu_si256(dst, _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_castps_si512(w), 16)));
}

AVX2_INLINE __m512 round_f16(__m512 values)
{
    return _mm512_cvtph_ps(_mm512_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

/* What belongs to the columns of a panel. */
struct columns {
    __m512 scale, offset, first, second;
};

/* The first or second row of a pair. */
AVX2_INLINE void expand_row(int32_t dtype, int32_t x_dtype, const struct columns *columns, const char *pair, int row,
                            char *dst, bool has_offset, bool easy)
{
    __m512 u = load_weights(dtype, pair, row);
    if (has_offset)
        u = _mm512_add_ps(u, columns->offset);
    if (has_offset && x_dtype == MMARN_F16 && !easy)
        u = round_f16(u);
    if (x_dtype == MMARN_BF16 && easy)
        store_easy_bf16(dst, u, columns->first, columns->second);
    else
        avx512_store(x_dtype, dst, _mm512_mul_ps(u, columns->scale));
}

AVX2_INLINE void expand_panel(int32_t dtype, int32_t x_dtype, const struct quant_run *run, const char *b, int column,
                              char *dst, bool has_offset, bool easy)
{
    const ptrdiff_t pair_bytes = dtype == MMARN_I8 ? 2 * GEMM_NR : GEMM_NR;
    const ptrdiff_t row_bytes = GEMM_NR * (x_dtype == MMARN_F32 ? 4 : 2);
    const __m512 scale = _mm512_loadu_ps(run->scale + column);
    const __m512 offset = has_offset ? _mm512_loadu_ps(run->offset + column) : _mm512_setzero_ps();
    const __m512 shifted = _mm512_mul_ps(scale, _mm512_set1_ps(0x1p16F));
    const struct columns columns = {scale, offset, _mm512_add_ps(shifted, scale),
                                    _mm512_sub_ps(_mm512_setzero_ps(), shifted)};
    int p = 0;
    for (; p + 1 < run->k; p += 2, b += pair_bytes, dst += 2 * row_bytes) {
        expand_row(dtype, x_dtype, &columns, b, 0, dst, has_offset, easy);
        expand_row(dtype, x_dtype, &columns, b, 1, dst + row_bytes, has_offset, easy);
    }
    if (p < run->k)
        expand_row(dtype, x_dtype, &columns, b, 0, dst, has_offset, easy);
}

AVX2_INLINE void expand(int32_t dtype, int32_t x_dtype, const struct quant_run *run, void *dst, ptrdiff_t panel_stride)
{
    const bool easy = x_dtype != MMARN_F32 && quant_easy_avx2(x_dtype, run);
    const char *b = run->b;
    char *to = dst;
    for (int j = 0; j < run->n; j += GEMM_NR) {
        if (run->offset && easy)
            expand_panel(dtype, x_dtype, run, b, j, to, true, true);
        else if (run->offset)
            expand_panel(dtype, x_dtype, run, b, j, to, true, false);
        else if (easy)
            expand_panel(dtype, x_dtype, run, b, j, to, false, true);
        else
            expand_panel(dtype, x_dtype, run, b, j, to, false, false);
        b += dtype == MMARN_I8 ? run->panel_stride : run->panel_stride / 2;
        to += panel_stride * (x_dtype == MMARN_F32 ? 4 : 2);
    }
}

#define DEFINE(name, dtype, x_dtype)                                                                                   \
    void quant_expand_##name##_avx512(const struct quant_run *run, void *dst, ptrdiff_t panel_stride)                  \
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
