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

AVX2_INLINE struct columns load_columns(int32_t x_dtype, const struct quant_run *run, int column)
{
    struct quant_factors factors;
    quant_factors_avx2(1, x_dtype, run, column, GEMM_NR, &factors);
    return (struct columns){_mm512_loadu_ps(run->scale + column), _mm512_loadu_ps(factors.offset),
                            _mm512_loadu_ps(factors.first), _mm512_loadu_ps(factors.second)};
}

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

#include "gemm/quant_expand_walk.h"

QUANT_EXPAND_ALL(avx512)

#endif
