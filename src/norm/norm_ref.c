/*
 * norm_ref.c - the definition of the norm kernels: plain C over the plain conversions, NORM_LANES elements at a time.
 * Everything is fp32; a fused multiply-add is written fmaf, and the compiler may fuse nothing else.
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

static void add_residual(int32_t dtype, float *mm, const void *residual, void *y, size_t i, size_t here)
{
    float b[NORM_LANES];
    load(dtype, residual, i, b, here);
    for (size_t l = 0; l < here; l++)
        mm[l] += b[l];
    store(dtype, mm, y, i, here);
}

static void add(int32_t dtype, const void *mm, const void *residual, void *y, size_t count)
{
    float a[NORM_LANES];
    for (size_t i = 0; i < count; i += NORM_LANES) {
        size_t here = step(i, count);
        load(dtype, mm, i, a, here);
        add_residual(dtype, a, residual, y, i, here);
    }
}

static void add_sum(int32_t dtype, const float *left, const float *right, bool round_mm, const void *residual, void *y,
                    size_t count)
{
    float a[NORM_LANES];
    for (size_t i = 0; i < count; i += NORM_LANES) {
        size_t here = step(i, count);
        for (size_t l = 0; l < here; l++)
            a[l] = right ? left[i + l] + right[i + l] : left[i + l];
        if (round_mm)
            round_to(dtype, a, here);
        add_residual(dtype, a, residual, y, i, here);
    }
}

static float sum_of_squares(int32_t dtype, const void *y, size_t n)
{
    float lanes[NORM_LANES] = {0}, values[NORM_LANES];
    for (size_t i = 0; i < n; i += NORM_LANES) {
        size_t here = step(i, n);
        load(dtype, y, i, values, here);
        for (size_t l = 0; l < here; l++)
            lanes[l] = fmaf(values[l], values[l], lanes[l]);
    }
    for (int half = NORM_LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lanes[l] += lanes[l + half];
    return lanes[0];
}

static void row(int32_t dtype, const void *y, const void *gamma, void *norm_out, size_t n, float epsilon,
                bool round_twice)
{
    float rstd = 1.0F / sqrtf(sum_of_squares(dtype, y, n) / (float)n + epsilon);
    float values[NORM_LANES], scale[NORM_LANES];
    for (size_t i = 0; i < n; i += NORM_LANES) {
        size_t here = step(i, n);
        load(dtype, y, i, values, here);
        load(dtype, gamma, i, scale, here);
        for (size_t l = 0; l < here; l++)
            values[l] *= rstd;
        if (round_twice)
            round_to(dtype, values, here);
        for (size_t l = 0; l < here; l++)
            values[l] *= scale[l];
        store(dtype, values, norm_out, i, here);
    }
}

#include "norm/norm_table.h"

const struct norm_kernel norm_ref = NORM_TABLE("ref", 0);
