/* SPDX-License-Identifier: MIT */
/*
 * quantised_partial.c - one rank's partial with quantised weights, rounding for rounding. In numerics ASCEND weights
 * are rounded to x1's type first; in the others each run of k is summed over the integers, and then scaled.
 */
#include <math.h>
#include <stdlib.h>

#include "reference/exact.h"
#include "reference/halffloat.h"
#include "reference/quantised.h"

enum { LANES = 32, CHAIN = 512 /* rows of k in the longest run */ };

int64_t quantised_run(const struct quantised_weights *weights, int64_t p)
{
    const int64_t group = weights->group_size > 0 ? weights->group_size : weights->k;
    int64_t end = p + 1;
    while (end < weights->k && end % group != 0 && end % CHAIN != 0)
        end++;
    return end - p;
}

/* The sum of `count` numbers, in lanes. */
static float sum_lanes(const float *numbers, int64_t count)
{
    float lane[LANES] = {0};
    for (int64_t i = 0; i < count; i++)
        lane[i % LANES] += numbers[i];
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

/* One element: a row of x1, widened, times column j. */
static float sum_runs(const struct quantised_weights *weights, const float *row, int64_t j)
{
    float partial = 0;
    for (int64_t first = 0, count; first < weights->k; first += count) {
        count = quantised_run(weights, first);
        const float scale = quantised_value(weights, &weights->scale, first, j);
        float sum = 0;
        for (int64_t p = first; p < first + count; p++)
            sum = fmaf(row[p], (float)quantised_integer(weights, p, j), sum);
        if (weights->offset.data != NULL)
            sum = fmaf(quantised_value(weights, &weights->offset, first, j), sum_lanes(row + first, count), sum);
        partial = fmaf(scale, sum, partial);
    }
    return partial;
}

static bool partial_expanded(const struct quantised_weights *weights, int64_t rows, const void *x1, const void *bias,
                             float *partial)
{
    void *expanded = malloc((size_t)(weights->k * weights->n) * sizeof(float) + 1);
    bool ok = expanded != NULL;
    if (ok) {
        quantised_expand(weights, expanded);
        ok = exact_partial(weights->dtype, EXACT_CHAIN_EXPANDED, rows, weights->k, weights->n, x1, expanded, false,
                           bias, partial);
    }
    free(expanded);
    return ok;
}

bool quantised_partial(const struct quantised_weights *weights, int32_t numerics, int64_t rows, const void *x1,
                       const void *bias, float *partial)
{
    const int64_t k = weights->k, n = weights->n;
    if (numerics == MMARN_NUMERICS_ASCEND)
        return partial_expanded(weights, rows, x1, bias, partial);
    float *row = malloc(sizeof(float) * (size_t)k + 1);
    if (row == NULL)
        return false;
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t p = 0; p < k; p++)
            row[p] = halffloat_load(weights->dtype, x1, (size_t)(i * k + p));
        for (int64_t j = 0; j < n; j++) {
            partial[i * n + j] = sum_runs(weights, row, j);
            if (bias != NULL)
                partial[i * n + j] += halffloat_load(weights->dtype, bias, (size_t)j);
        }
    }
    free(row);
    return true;
}
