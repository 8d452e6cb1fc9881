/* SPDX-License-Identifier: MIT */
/* quantise.c - one scale for each group of each channel, or for each row, then every value to its nearest multiple. */
#include "quantise.h"

#include <math.h>

#include "half.h"

/* The least f16 that is not below value >= 0. */
static uint16_t half_above(float value)
{
    const uint16_t half = half_from_float(value);
    return half_to_float(half) < value ? (uint16_t)(half + 1) : half;
}

static void store(const struct quantise *how, int8_t *values, int64_t p, int64_t j, int value)
{
    const int64_t at = p * how->n + j;
    if (how->most > 7)
        values[at] = (int8_t)value;
    else if (at % 2 == 0)
        values[at / 2] = (int8_t)(value & 0xf);
    else
        values[at / 2] = (int8_t)((values[at / 2] & 0xf) | (value & 0xf) * 16);
}

/* values are stored by columns and then rows, so that an int4's neighbour in the lower half is always there first. */
void quantise_weights(const struct quantise *how, const float *rows, int8_t *values, uint16_t *scales)
{
    for (int64_t first = 0; first < how->k; first += how->group) {
        const int64_t end = first + how->group < how->k ? first + how->group : how->k;
        uint16_t *group_scales = scales + first / how->group * how->n;
        for (int64_t j = 0; j < how->n; j++) {
            float largest = 0;
            for (int64_t p = first; p < end; p++)
                largest = fmaxf(largest, fabsf(rows[j * how->k + p]));
            group_scales[j] = half_above(largest / (float)how->most);
            const float scale = half_to_float(group_scales[j]);
            for (int64_t p = first; p < end; p++)
                store(how, values, p, j, scale > 0 ? (int)lrintf(rows[j * how->k + p] / scale) : 0);
        }
    }
}

void quantise_rows(const float *matrix, int64_t rows, int64_t columns, int8_t *values, float *scales)
{
    for (int64_t row = 0; row < rows; row++) {
        const float *from = matrix + row * columns;
        float largest = 0;
        for (int64_t i = 0; i < columns; i++)
            largest = fmaxf(largest, fabsf(from[i]));
        scales[row] = largest / 127;
        for (int64_t i = 0; i < columns; i++)
            values[row * columns + i] = largest > 0 ? (int8_t)lrintf(from[i] * (127 / largest)) : 0;
    }
}
