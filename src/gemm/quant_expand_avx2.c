/*
 * quant_expand_avx2.c - int8 and int4 panels expanded into panels of x1's type with AVX2, 8 columns at a time: scale
 * and offset stay in registers down a panel. Rounds as quant.h says, whatever the numbers; with easy ones
 * (quant_avx2.c) q + offset needs no rounding to f16, and q * scale is rounded to bf16 by two multiplications.
 */
#include "gemm/quant_avx2.h"

#if defined(__x86_64__)

#include "base/avx2.h"

enum { VECTOR = 8 };

/* Columns 0 .. 7, or, with high, 8 .. 15, of the first or second row of a pair. */
AVX2_INLINE __m256 load_weights(int32_t dtype, const char *pair, int row, int high)
{
    const void *from = pair + high * VECTOR + (dtype == MMARN_I8 ? row * GEMM_NR : 0);
    const __m256i bytes = _mm256_cvtepi8_epi32(_mm_loadl_epi64(from));
    if (dtype == MMARN_I8)
        return _mm256_cvtepi32_ps(bytes);
    return _mm256_cvtepi32_ps(row ? _mm256_srai_epi32(bytes, 4) : _mm256_srai_epi32(_mm256_slli_epi32(bytes, 28), 28));
}

/* u * scale in bf16, in the upper half of fp32; as in quant_avx2.c. */
AVX2_INLINE void store_easy_bf16(void *dst, __m256 u, __m256 scale)
{
    const __m256 shifted = _mm256_mul_ps(scale, _mm256_set1_ps(0x1p16F));
    const __m256 second = _mm256_sub_ps(_mm256_setzero_ps(), shifted);
    const __m256 w = _mm256_fmadd_ps(u, second, _mm256_mul_ps(u, _mm256_add_ps(shifted, scale)));
    const __m256i upper = _mm256_srli_epi32(_mm256_castps_si256(w), 16);
    _mm_storeu_si128(dst, _mm_packus_epi32(_mm256_castsi256_si128(upper), _mm256_extracti128_si256(upper, 1)));
}

/* What belongs to the columns of a panel, 0 .. 7 and 8 .. 15. */
struct columns {
    __m256 scale[2], offset[2];
};

/* The first or second row of a pair. */
AVX2_INLINE void expand_row(int32_t dtype, int32_t x_dtype, const struct columns *columns, const char *pair, int row,
                            char *dst, bool has_offset, bool easy)
{
    const ptrdiff_t x_size = x_dtype == MMARN_F32 ? 4 : 2;
#pragma GCC unroll 2
    for (int high = 0; high < 2; high++) {
        char *to = dst + high * VECTOR * x_size;
        __m256 u = load_weights(dtype, pair, row, high);
        if (has_offset)
            u = _mm256_add_ps(u, columns->offset[high]);
        if (has_offset && x_dtype == MMARN_F16 && !easy)
            u = avx2_round(MMARN_F16, u);
        if (x_dtype == MMARN_BF16 && easy)
            store_easy_bf16(to, u, columns->scale[high]);
        else
            avx2_store(x_dtype, to, _mm256_mul_ps(u, columns->scale[high]));
    }
}

AVX2_INLINE void expand_panel(int32_t dtype, int32_t x_dtype, const struct quant_run *run, const char *b, int column,
                              char *dst, bool has_offset, bool easy)
{
    const ptrdiff_t pair_bytes = dtype == MMARN_I8 ? 2 * GEMM_NR : GEMM_NR;
    const ptrdiff_t row_bytes = GEMM_NR * (x_dtype == MMARN_F32 ? 4 : 2);
    struct columns columns;
    for (int high = 0; high < 2; high++) {
        const int at = column + high * VECTOR;
        columns.scale[high] = _mm256_loadu_ps(run->scale + at);
        columns.offset[high] = has_offset ? _mm256_loadu_ps(run->offset + at) : _mm256_setzero_ps();
    }
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
    void quant_expand_##name##_avx2(const struct quant_run *run, void *dst, ptrdiff_t panel_stride)                    \
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
