/* SPDX-License-Identifier: MIT */
/*
 * add_norm.c - see add_norm.h. 16-bit rows go through the library's conversions, piece by piece, in cache. The loops
 * themselves are left to the compiler, which may reorder their sums and use all features of this processor.
 */
#include "add_norm.h"

#include <math.h>

#include "inputs.h"

enum { PIECE = 1024 };

/* The piece as fp32: in its own memory, or converted into the buffer. */
static const float *floats(int32_t dtype, const void *matrix, int64_t at, int64_t count, float *buffer)
{
    if (dtype == MMARN_F32)
        return (const float *)matrix + at;
    inputs_to_f32(dtype, (const char *)matrix + inputs_bytes(dtype, at), buffer, count);
    return buffer;
}

static float add(const struct add_norm *all, int64_t at, int64_t count)
{
    float a[PIECE], b[PIECE], sums[PIECE], total = 0.0f;
    const float *mm_out = floats(all->wire, all->mm_out, at, count, a);
    const float *residual = floats(all->dtype, all->residual, at, count, b);
    float *y = all->dtype == MMARN_F32 ? (float *)all->y + at : sums;

    for (int64_t i = 0; i < count; i++)
        y[i] = mm_out[i] + residual[i];
    if (all->dtype != MMARN_F32) {
        char *out = (char *)all->y + inputs_bytes(all->dtype, at);
        inputs_from_f32(all->dtype, y, out, count);
        inputs_to_f32(all->dtype, out, y, count);
    }
    for (int64_t i = 0; i < count; i++)
        total += y[i] * y[i];
    return total;
}

static void scale(const struct add_norm *all, int64_t at, int64_t column, int64_t count, float factor)
{
    float a[PIECE], b[PIECE], products[PIECE];
    const float *y = floats(all->dtype, all->y, at, count, a);
    const float *gamma = floats(all->dtype, all->gamma, column, count, b);
    float *out = all->dtype == MMARN_F32 ? (float *)all->norm_out + at : products;

    for (int64_t i = 0; i < count; i++)
        out[i] = y[i] * factor * gamma[i];
    if (all->dtype != MMARN_F32)
        inputs_from_f32(all->dtype, out, (char *)all->norm_out + inputs_bytes(all->dtype, at), count);
}

static void run_row(const struct add_norm *all, int64_t row)
{
    const int64_t n = all->n;
    float total = 0.0f, factor;

    for (int64_t j = 0; j < n; j += PIECE)
        total += add(all, row * n + j, n - j < PIECE ? n - j : PIECE);
    factor = 1.0f / sqrtf(total / (float)n + all->epsilon);
    for (int64_t j = 0; j < n; j += PIECE)
        scale(all, row * n + j, j, n - j < PIECE ? n - j : PIECE, factor);
}

void add_norm_run(const struct add_norm *all)
{
#if defined(_OPENMP)
#pragma omp parallel for num_threads(all->threads) if (all->threads > 1)
#endif
    for (int64_t row = 0; row < all->rows; row++)
        run_row(all, row);
}
