/* SPDX-License-Identifier: MIT */
/*
 * norm_ref.c - the definition of the norm kernels: plain C over the plain conversions, NORM_LANES elements at a time.
 * All arithmetic is fp32. A fused multiply-add is written fmaf, and the compiler may fuse nothing else.
 */
#include <math.h>

#include "base/convert.h"
#include "norm/norm.h"

static void load(int32_t dtype, const void *src, size_t at, float *dst, size_t count)
{
    convert_kernels[0]->to_f32[dtype]((const char *)src + at * dtype_size(dtype), dst, count);
}

static void store(int32_t dtype, const float *src, void *dst, size_t at, size_t count)
{
    convert_kernels[0]->from_f32[dtype](src, (char *)dst + at * dtype_size(dtype), count);
}

static void round_to(int32_t dtype, float *values, size_t count)
{
    uint16_t narrowed[NORM_LANES];
    if (dtype == MMARN_F32)
        return;
    store(dtype, values, narrowed, 0, count);
    load(dtype, narrowed, 0, values, count);
}

static size_t step(size_t i, size_t n)
{
    return n - i < NORM_LANES ? n - i : NORM_LANES;
}

static void add_residual(int32_t y_dtype, float *mm, const void *residual, void *y, size_t i, size_t here)
{
    float b[NORM_LANES];
    load(y_dtype, residual, i, b, here);
    for (size_t l = 0; l < here; l++)
        mm[l] += b[l];
    store(y_dtype, mm, y, i, here);
}

static void add(int32_t dtype, int32_t y_dtype, const void *mm, const void *residual, void *y, size_t count)
{
    float a[NORM_LANES];
    for (size_t i = 0; i < count; i += NORM_LANES) {
        size_t here = step(i, count);
        load(dtype, mm, i, a, here);
        add_residual(y_dtype, a, residual, y, i, here);
    }
}

static void add_sum(int32_t dtype, int32_t y_dtype, const float *left, const float *right, bool round_mm,
                    const void *residual, void *y, size_t count)
{
    float a[NORM_LANES];
    for (size_t i = 0; i < count; i += NORM_LANES) {
        size_t here = step(i, count);
        for (size_t l = 0; l < here; l++)
            a[l] = right ? left[i + l] + right[i + l] : left[i + l];
        if (round_mm)
            round_to(dtype, a, here);
        add_residual(y_dtype, a, residual, y, i, here);
    }
}

/* The sum of squares of y * down. */
static float sum_of_squares(int32_t y_dtype, const void *y, size_t n, float down)
{
    float lanes[NORM_LANES] = {0}, values[NORM_LANES];
    for (size_t i = 0; i < n; i += NORM_LANES) {
        size_t here = step(i, n);
        load(y_dtype, y, i, values, here);
        for (size_t l = 0; l < here; l++) {
            float value = values[l] * down;
            lanes[l] = fmaf(value, value, lanes[l]);
        }
    }
    for (int half = NORM_LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lanes[l] += lanes[l + half];
    return lanes[0];
}

static void row(int32_t dtype, const struct norm_row *r)
{
    const int32_t y_dtype = r->wide_y ? MMARN_F32 : dtype, gamma_dtype = r->wide_gamma ? MMARN_F32 : dtype;
    float down = 1.0F, sum = sum_of_squares(y_dtype, r->y, r->n, down);
    if (isinf(sum) && r->rescale) {
        down = NORM_DOWN;
        sum = sum_of_squares(y_dtype, r->y, r->n, down);
    }
    float rstd = 1.0F / sqrtf(sum / (float)r->n + r->epsilon * down * down);
    if (r->rstd)
        *r->rstd = rstd * down;
    float values[NORM_LANES], scale[NORM_LANES];
    for (size_t i = 0; i < r->n; i += NORM_LANES) {
        size_t here = step(i, r->n);
        load(y_dtype, r->y, i, values, here);
        load(gamma_dtype, r->gamma, i, scale, here);
        for (size_t l = 0; l < here; l++)
            values[l] = values[l] * down * rstd;
        if (r->round_twice)
            round_to(y_dtype, values, here);
        for (size_t l = 0; l < here; l++)
            values[l] *= scale[l];
        store(dtype, values, r->norm_out, i, here);
    }
}

/* |value| as a number that orders NaN above infinity. */
static uint32_t magnitude(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x7FFFFFFF;
}

static float quantise(int32_t dtype, const void *row, signed char *out, size_t n)
{
    float values[NORM_LANES];
    uint32_t most = 0;
    for (size_t i = 0; i < n; i += NORM_LANES) {
        size_t here = step(i, n);
        load(dtype, row, i, values, here);
        for (size_t l = 0; l < here; l++)
            most = magnitude(values[l]) > most ? magnitude(values[l]) : most;
    }
    const struct norm_factors factors = norm_factors_of(most);
    for (size_t i = 0; i < n; i += NORM_LANES) {
        size_t here = step(i, n);
        load(dtype, row, i, values, here);
        for (size_t l = 0; l < here; l++)
            out[i + l] = factors.factor > 0 ? (signed char)rintf(values[l] * factors.up * factors.factor) : 0;
    }
    return factors.scale;
}

#include "norm/norm_table.h"

const struct norm_kernel norm_ref = NORM_TABLE("ref", 0);
