/* SPDX-License-Identifier: MIT */
/*
 * norm_256.h - the norm kernels on 256-bit registers, included by the files that compile it for AVX2 alone, and with
 * the rounding instruction of AVX512_BF16. Four registers hold the NORM_LANES lanes. A ragged end goes through buffers
 * padded with zeros, so it uses the same instructions; zeros do not change a lane, because a sum of squares is never
 * minus zero. dtype is a constant in every inlined copy.
 */
#include "norm/norm.h"

#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "base/x86/avx2.h"

enum { VECTOR = 8, VECTORS = NORM_LANES / VECTOR };

/* Bytes per element, as a constant. */
ALWAYS_INLINE size_t size_of(int32_t dtype)
{
    return dtype == MMARN_F32 ? 4 : 2;
}

/* The terms that are added to the residual: mm, or its two subtrees. */
struct terms {
    int32_t dtype, y_dtype;
    const char *mm;
    const float *left, *right;
    bool round;
};

ALWAYS_INLINE __m256 load_mm(const struct terms *terms, size_t at)
{
    if (terms->mm)
        return avx2_load(terms->dtype, terms->mm + at * size_of(terms->dtype));
    __m256 mm = _mm256_loadu_ps(terms->left + at);
    if (terms->right)
        mm = _mm256_add_ps(mm, _mm256_loadu_ps(terms->right + at));
    return terms->round ? avx2_round(terms->dtype, mm) : mm;
}

ALWAYS_INLINE void add_lanes(const struct terms *terms, size_t at, const char *residual, char *y)
{
    const size_t size = size_of(terms->y_dtype);
    for (size_t v = 0; v < NORM_LANES; v += VECTOR) {
        __m256 b = avx2_load(terms->y_dtype, residual + v * size);
        avx2_store(terms->y_dtype, y + v * size, _mm256_add_ps(load_mm(terms, at + v), b));
    }
}

/* Whether the pointers in terms are NULL is a constant too. */
ALWAYS_INLINE void add_terms(struct terms terms, const void *residual, void *y, size_t count)
{
    const size_t size = size_of(terms.y_dtype);
    const char *b = residual;
    char *out = y;
    size_t i = 0;
    for (; i + NORM_LANES <= count; i += NORM_LANES)
        add_lanes(&terms, i, b + i * size, out + i * size);
    if (i < count) {
        char last_mm[NORM_LANES * sizeof(float)] = {0}, last_b[NORM_LANES * sizeof(float)] = {0};
        char last_out[NORM_LANES * sizeof(float)];
        float last_left[NORM_LANES] = {0}, last_right[NORM_LANES] = {0};
        if (terms.mm)
            terms.mm = memcpy(last_mm, terms.mm + i * size_of(terms.dtype), (count - i) * size_of(terms.dtype));
        if (terms.left)
            terms.left = memcpy(last_left, terms.left + i, (count - i) * sizeof(float));
        if (terms.right)
            terms.right = memcpy(last_right, terms.right + i, (count - i) * sizeof(float));
        memcpy(last_b, b + i * size, (count - i) * size);
        add_lanes(&terms, 0, last_b, last_out);
        memcpy(out + i * size, last_out, (count - i) * size);
    }
}

ALWAYS_INLINE void add(int32_t dtype, int32_t y_dtype, const void *mm, const void *residual, void *y, size_t count)
{
    add_terms((struct terms){.dtype = dtype, .y_dtype = y_dtype, .mm = mm}, residual, y, count);
}

ALWAYS_INLINE void add_sum(int32_t dtype, int32_t y_dtype, const float *left, const float *right, bool round_mm,
                           const void *residual, void *y, size_t count)
{
    const struct terms one = {.dtype = dtype, .y_dtype = y_dtype, .left = left, .round = round_mm};
    if (!right)
        add_terms(one, residual, y, count);
    else if (round_mm)
        add_terms((struct terms){dtype, y_dtype, NULL, left, right, true}, residual, y, count);
    else
        add_terms((struct terms){dtype, y_dtype, NULL, left, right, false}, residual, y, count);
}

ALWAYS_INLINE void square_lanes(int32_t dtype, const char *y, __m256 sum[VECTORS])
{
    for (int v = 0; v < VECTORS; v++) {
        __m256 value = avx2_load(dtype, y + (size_t)v * VECTOR * size_of(dtype));
        sum[v] = _mm256_fmadd_ps(value, value, sum[v]);
    }
}

ALWAYS_INLINE float sum_of_squares(int32_t dtype, const char *y, size_t n)
{
    const size_t size = size_of(dtype);
    __m256 sum[VECTORS] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
    size_t i = 0;
    for (; i + NORM_LANES <= n; i += NORM_LANES)
        square_lanes(dtype, y + i * size, sum);
    if (i < n) {
        char last[NORM_LANES * sizeof(float)] = {0};
        memcpy(last, y + i * size, (n - i) * size);
        square_lanes(dtype, last, sum);
    }
    __m256 fold8 = _mm256_add_ps(_mm256_add_ps(sum[0], sum[2]), _mm256_add_ps(sum[1], sum[3]));
    __m128 fold4 = _mm_add_ps(_mm256_castps256_ps128(fold8), _mm256_extractf128_ps(fold8, 1));
    __m128 fold2 = _mm_add_ps(fold4, _mm_movehl_ps(fold4, fold4));
    return _mm_cvtss_f32(_mm_add_ss(fold2, _mm_movehdup_ps(fold2)));
}

/* Dtypes, constants wherever they are used. */
struct types {
    int32_t y, gamma, out;
};

ALWAYS_INLINE void scale_lanes(struct types types, const char *y, const char *gamma, char *norm_out, __m256 rstd,
                               bool round_twice)
{
    for (size_t v = 0; v < NORM_LANES; v += VECTOR) {
        __m256 value = _mm256_mul_ps(avx2_load(types.y, y + v * size_of(types.y)), rstd);
        if (round_twice)
            value = avx2_round(types.y, value);
        value = _mm256_mul_ps(value, avx2_load(types.gamma, gamma + v * size_of(types.gamma)));
        avx2_store(types.out, norm_out + v * size_of(types.out), value);
    }
}

ALWAYS_INLINE void scale(struct types types, const struct norm_row *r, __m256 rstd, bool round_twice)
{
    const size_t y_size = size_of(types.y), gamma_size = size_of(types.gamma), out_size = size_of(types.out);
    const char *y = r->y, *gamma = r->gamma;
    char *norm_out = r->norm_out;
    size_t i = 0;
    for (; i + NORM_LANES <= r->n; i += NORM_LANES)
        scale_lanes(types, y + i * y_size, gamma + i * gamma_size, norm_out + i * out_size, rstd, round_twice);
    if (i < r->n) {
        char last_y[NORM_LANES * sizeof(float)] = {0}, last_gamma[NORM_LANES * sizeof(float)] = {0};
        char last_out[NORM_LANES * sizeof(float)];
        memcpy(last_y, y + i * y_size, (r->n - i) * y_size);
        memcpy(last_gamma, gamma + i * gamma_size, (r->n - i) * gamma_size);
        scale_lanes(types, last_y, last_gamma, last_out, rstd, round_twice);
        memcpy(norm_out + i * out_size, last_out, (r->n - i) * out_size);
    }
}

ALWAYS_INLINE void typed_row(struct types types, const struct norm_row *r)
{
    const float sum = sum_of_squares(types.y, r->y, r->n);
    if (__builtin_expect(isinf(sum) && r->rescale, 0)) { /* rare, so the reference kernel is fast enough */
        norm_kernels[0]->row[types.out](r);
        return;
    }
    __m128 mean = _mm_set_ss(sum / (float)r->n + r->epsilon);
    const float quotient = 1.0F / _mm_cvtss_f32(_mm_sqrt_ss(mean));
    __m256 rstd = _mm256_set1_ps(quotient);
    if (r->rstd)
        *r->rstd = quotient;
    if (r->round_twice && types.y != MMARN_F32)
        scale(types, r, rstd, true);
    else
        scale(types, r, rstd, false);
}

ALWAYS_INLINE void row(int32_t dtype, const struct norm_row *r)
{
    if (r->wide_y && r->wide_gamma)
        typed_row((struct types){MMARN_F32, MMARN_F32, dtype}, r);
    else if (r->wide_y)
        typed_row((struct types){MMARN_F32, dtype, dtype}, r);
    else if (r->wide_gamma)
        typed_row((struct types){dtype, MMARN_F32, dtype}, r);
    else
        typed_row((struct types){dtype, dtype, dtype}, r);
}

/* The largest |row[i]| so far in each lane, as integers. */
ALWAYS_INLINE __m256i largest_lanes(int32_t dtype, const char *row, __m256i most)
{
    for (size_t v = 0; v < NORM_LANES; v += VECTOR) {
        const __m256i bits = _mm256_castps_si256(avx2_load(dtype, row + v * size_of(dtype)));
        most = _mm256_max_epu32(most, _mm256_and_si256(bits, _mm256_set1_epi32(0x7FFFFFFF)));
    }
    return most;
}

ALWAYS_INLINE void quantise_lanes(int32_t dtype, const char *row, signed char *out, __m256 up, __m256 factor)
{
    __m256i whole[VECTORS];
    for (int v = 0; v < VECTORS; v++) {
        const __m256 value = avx2_load(dtype, row + (size_t)v * VECTOR * size_of(dtype));
        whole[v] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_mul_ps(value, up), factor));
    }
    /* Packing works within halves of 128 bits, so the order of four-byte pieces is corrected at the end. */
    const __m256i low = _mm256_packs_epi32(whole[0], whole[1]), high = _mm256_packs_epi32(whole[2], whole[3]);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256((__m256i *)out, _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order));
}

ALWAYS_INLINE uint32_t largest_bits(int32_t dtype, const char *row, size_t n)
{
    __m256i most = _mm256_setzero_si256();
    uint32_t lanes[VECTOR], largest = 0;
    size_t i = 0;
    for (; i + NORM_LANES <= n; i += NORM_LANES)
        most = largest_lanes(dtype, row + i * size_of(dtype), most);
    if (i < n) {
        char last[NORM_LANES * sizeof(float)] = {0};
        memcpy(last, row + i * size_of(dtype), (n - i) * size_of(dtype));
        most = largest_lanes(dtype, last, most);
    }
    _mm256_storeu_si256((__m256i *)lanes, most);
    for (int l = 0; l < VECTOR; l++)
        largest = lanes[l] > largest ? lanes[l] : largest;
    return largest;
}

ALWAYS_INLINE float quantise(int32_t dtype, const void *row, signed char *out, size_t n)
{
    const char *values = row;
    const struct norm_factors factors = norm_factors_of(largest_bits(dtype, values, n));
    if (!(factors.factor > 0)) {
        memset(out, 0, n);
        return factors.scale;
    }
    const __m256 up = _mm256_set1_ps(factors.up), factor = _mm256_set1_ps(factors.factor);
    size_t i = 0;
    for (; i + NORM_LANES <= n; i += NORM_LANES)
        quantise_lanes(dtype, values + i * size_of(dtype), out + i, up, factor);
    if (i < n) {
        char last[NORM_LANES * sizeof(float)] = {0};
        signed char last_out[NORM_LANES];
        memcpy(last, values + i * size_of(dtype), (n - i) * size_of(dtype));
        quantise_lanes(dtype, last, last_out, up, factor);
        memcpy(out + i, last_out, n - i);
    }
    return factors.scale;
}

#include "norm/norm_table.h"
