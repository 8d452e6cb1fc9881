/* SPDX-License-Identifier: MIT */
/*
 * exact.c - the rounding-exact model. Everything is fp32 with one rounding per operation, and fused only where fmaf is
 * written; the build's -ffp-contract=off keeps it that way. dtypes are reference/halffloat.h's.
 */
#include "reference/exact.h"

#include <math.h>
#include <stdlib.h>

#include "reference/halffloat.h"

enum { LANES = 32 };

/* x2 as fp32 (k, n), whatever its layout. */
static float *widen_x2(int32_t dtype, int64_t k, int64_t n, const void *x2, bool trans_x2)
{
    float *wide = malloc(sizeof(float) * (size_t)(k * n > 0 ? k * n : 1));
    if (wide == NULL)
        return NULL;
    for (int64_t p = 0; p < k; p++)
        for (int64_t j = 0; j < n; j++)
            wide[p * n + j] = halffloat_load(dtype, x2, (size_t)(trans_x2 ? j * k + p : p * n + j));
    return wide;
}

int64_t exact_chain(int32_t dtype)
{
    return dtype == MMARN_BF16 ? INT32_MAX : 512;
}

/* A row of sums, chain by chain, of which the first is the sum so far; sums has room for n values of one chain. */
static void sum_row(int64_t chain, int64_t k, int64_t n, const float *a, const float *wide, float *sums, float *row)
{
    for (int64_t j = 0; j < n && k == 0; j++)
        row[j] = 0.0f;
    for (int64_t first = 0; first < k; first += chain) {
        for (int64_t j = 0; j < n; j++)
            sums[j] = 0.0f;
        for (int64_t p = first; p < k && p < first + chain; p++)
            for (int64_t j = 0; j < n; j++)
                sums[j] = fmaf(a[p], wide[p * n + j], sums[j]);
        for (int64_t j = 0; j < n; j++)
            row[j] = first == 0 ? sums[j] : row[j] + sums[j];
    }
}

bool exact_partial(int32_t dtype, int64_t chain, int64_t rows, int64_t k, int64_t n, const void *x1, const void *x2,
                   bool trans_x2, const void *bias, float *partial)
{
    float *wide = widen_x2(dtype, k, n, x2, trans_x2);
    float *a = malloc(sizeof(float) * (size_t)(k + n + 1));
    for (int64_t i = 0; i < rows && wide != NULL && a != NULL; i++) {
        float *row = partial + i * n;
        for (int64_t p = 0; p < k; p++)
            a[p] = halffloat_load(dtype, x1, (size_t)(i * k + p));
        sum_row(chain, k, n, a, wide, a + k, row);
        for (int64_t j = 0; bias != NULL && j < n; j++)
            row[j] += halffloat_load(dtype, bias, (size_t)j);
    }
    const bool made = wide != NULL && a != NULL;
    free(wide);
    free(a);
    return made;
}

/* Element i summed over ranks first .. first + count - 1; the left half is the largest power of two below count. */
static float tree_sum(const float *const partials[], int first, int count, int64_t i)
{
    int left = 1;
    if (count == 1)
        return partials[first][i];
    while (left * 2 < count)
        left *= 2;
    return tree_sum(partials, first, left, i) + tree_sum(partials, first + left, count - left, i);
}

static float rank_order_sum(int32_t dtype, const float *const partials[], int world_size, int64_t i)
{
    float sum = halffloat_round(dtype, partials[0][i]);
    for (int rank = 1; rank < world_size; rank++) {
        float next = halffloat_round(dtype, partials[rank][i]);
        sum = halffloat_round(dtype, sum + next);
    }
    return sum;
}

void exact_reduce(int32_t dtype, int32_t numerics, int world_size, int64_t count, const float *const partials[],
                  float *mm)
{
    for (int64_t i = 0; i < count; i++) {
        if (numerics == MMARN_NUMERICS_ASCEND)
            mm[i] = rank_order_sum(dtype, partials, world_size, i);
        else if (numerics == MMARN_NUMERICS_FP32)
            mm[i] = tree_sum(partials, 0, world_size, i);
        else
            mm[i] = halffloat_round(dtype, tree_sum(partials, 0, world_size, i));
    }
}

void exact_add(int32_t dtype, int64_t count, const float *mm, const void *residual, void *y)
{
    for (int64_t i = 0; i < count; i++) {
        float sum = mm[i] + halffloat_load(dtype, residual, (size_t)i);
        halffloat_store(dtype, y, (size_t)i, sum);
    }
}

/* What rows with too large a sum of squares are multiplied with. */
static const float DOWN = 0x1p-80f;

/* Sum of squares of n elements from `first` on, times down each, in the one shape that every kernel has. */
static float sum_of_squares(int32_t dtype, const void *y, int64_t first, int64_t n, float down)
{
    float lane[LANES] = {0};
    for (int64_t i = 0; i < n; i++) {
        const float value = halffloat_load(dtype, y, (size_t)(first + i)) * down;
        lane[i % LANES] = fmaf(value, value, lane[i % LANES]);
    }
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

/* rstd as rows are multiplied by it, after *down. */
static float rstd_of(int32_t dtype, int32_t numerics, int64_t first, int64_t n, const void *y, double epsilon,
                     float *down)
{
    float sum = sum_of_squares(dtype, y, first, n, 1.0f), smallest = (float)epsilon;
    *down = 1.0f;
    if (isinf(sum) && numerics != MMARN_NUMERICS_ASCEND) {
        *down = DOWN;
        sum = sum_of_squares(dtype, y, first, n, DOWN);
        smallest = smallest * DOWN * DOWN;
    }
    return 1.0f / sqrtf(sum / (float)n + smallest);
}

float exact_rstd(int32_t dtype, int32_t numerics, int64_t n, const void *y, double epsilon)
{
    float down;
    const float rstd = rstd_of(dtype, numerics, 0, n, y, epsilon, &down);
    return rstd * down;
}

void exact_norm(struct exact_norm_dtypes dtypes, int32_t numerics, int64_t rows, int64_t n, const void *y,
                const void *gamma, double epsilon, void *norm_out)
{
    for (int64_t row = 0; row < rows; row++) {
        float down;
        const float rstd = rstd_of(dtypes.y, numerics, row * n, n, y, epsilon, &down);
        for (int64_t j = 0; j < n; j++) {
            const size_t index = (size_t)(row * n + j);
            float t = halffloat_load(dtypes.y, y, index) * down;
            t *= rstd;
            if (numerics != MMARN_NUMERICS_FP32)
                t = halffloat_round(dtypes.y, t);
            t *= halffloat_load(dtypes.gamma, gamma, (size_t)j);
            halffloat_store(dtypes.norm_out, norm_out, index, t);
        }
    }
}
