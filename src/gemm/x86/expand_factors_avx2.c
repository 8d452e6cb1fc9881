/* SPDX-License-Identifier: MIT */
/*
 * expand_factors_avx2.c - prepares scales and offsets for expansion in registers. Rounding q * s to a significand
 * `shift` bits shorter than fp32's takes two instructions: q * ((2^shift + 1) * s) rounds to a multiple of the short
 * type's last place, ties to even, and what is subtracted from it, q * (2^shift * s), is exact:
 *     w = fma(q, -(2^shift * s), q * ((2^shift + 1) * s))
 * This is q * s correctly rounded while s has the short significand (so that the first factor is exact in fp32), q is
 * an integer below 2^9 (so that q * s has an even 24-bit significand, which the carry into the next power of two
 * needs), and no w is denormal or overflows. For x1 in fp32 nothing is rounded: the second factor is a zero.
 */
#include "gemm/x86/expand_factors.h"

#include "base/x86/avx2.h"

enum { VECTOR = 8 };

/*
 * What expand_is_quick requires of a scale that is not zero: its bounds, and which bits of its significand must be
 * zero.
 */
struct limits {
    float least, most, most_offset;
    int shift;
    bool negative; /* allowed */
};

/*
 * f16: 2^-14 is the smallest normal number, and 256 * 255 does not overflow. bf16: far from both ends of fp32. fp32:
 * chosen so that multiplying u by a power of two does not change the result. Only with f16 does the sign of a zero not
 * matter: no chain over f16 numbers ever holds a negative zero, because sums of their products do not underflow. So f16
 * may have negative scales, whose zeros lose their sign.
 */
static const struct limits limits[DTYPE_COUNT] = {
    [MMARN_F16] = {0x1p-14F, 255, 128, 13, true},
    [MMARN_BF16] = {0x1p-90F, 0x1p90F, 128, 16, false},
    [MMARN_F32] = {0x1p-60F, 0x1p127F, 0x1p60F, 0, true},
};

ALWAYS_INLINE __m256 magnitude(__m256 values)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), values);
}

ALWAYS_INLINE bool all(__m256 mask)
{
    return _mm256_movemask_ps(mask) == 0xff;
}

ALWAYS_INLINE bool quick_scale(int32_t x_dtype, __m256 scale)
{
    const struct limits *limit = &limits[x_dtype];
    const __m256 size = limit->negative ? magnitude(scale) : scale;
    const __m256 inside = _mm256_and_ps(_mm256_cmp_ps(size, _mm256_set1_ps(limit->least), _CMP_GE_OQ),
                                        _mm256_cmp_ps(size, _mm256_set1_ps(limit->most), _CMP_LE_OQ));
    const __m256i zero = _mm256_cmpeq_epi32(_mm256_castps_si256(size), _mm256_setzero_si256());
    const __m256i beyond = _mm256_set1_epi32((1 << limit->shift) - 1);
    return all(_mm256_or_ps(inside, _mm256_castsi256_ps(zero))) &&
           _mm256_testz_si256(_mm256_castps_si256(scale), beyond);
}

/* Offsets must be integers, unless nothing is rounded. */
ALWAYS_INLINE bool quick_offset(int32_t x_dtype, __m256 offset)
{
    const __m256 inside = _mm256_cmp_ps(magnitude(offset), _mm256_set1_ps(limits[x_dtype].most_offset), _CMP_LE_OQ);
    const __m256 whole = _mm256_round_ps(offset, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return all(inside) && (x_dtype == MMARN_F32 || all(_mm256_cmp_ps(whole, offset, _CMP_EQ_OQ)));
}

bool expand_is_quick(int32_t x_dtype, const struct expand_run *run)
{
    for (int j = 0; j < run->n; j += VECTOR)
        if (!quick_scale(x_dtype, _mm256_loadu_ps(run->scale + j)) ||
            (run->offset && !quick_offset(x_dtype, _mm256_loadu_ps(run->offset + j))))
            return false;
    return true;
}

/* Zeros of the second factor have the sign that preserves the sign of u * first. */
void expand_factors_find(int32_t x_dtype, const struct expand_run *run, int column, struct expand_factors *f)
{
    const __m256 sign = _mm256_set1_ps(-0.0F), power = _mm256_set1_ps((float)(1 << limits[x_dtype].shift));
    for (int j = 0; j < GEMM_NR; j += VECTOR) {
        const __m256 scale = _mm256_loadu_ps(run->scale + column + j);
        __m256 first = scale, second = _mm256_and_ps(scale, sign);
        if (x_dtype != MMARN_F32) {
            const __m256 shifted = _mm256_mul_ps(scale, power);
            first = _mm256_add_ps(shifted, scale);
            second = _mm256_sub_ps(_mm256_setzero_ps(), shifted);
        }
        _mm256_storeu_ps(f->first + j, first);
        _mm256_storeu_ps(f->second + j, second);
        _mm256_storeu_ps(f->offset + j, run->offset ? _mm256_loadu_ps(run->offset + column + j) : _mm256_setzero_ps());
    }
}
