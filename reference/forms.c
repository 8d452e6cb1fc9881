/* SPDX-License-Identifier: MIT */
/* forms.c - see forms.h. One fp32 operation at a time. */
#include "reference/forms.h"

#include <math.h>

#include "mmarn/mmarn.h"
#include "reference/exact.h"
#include "reference/halffloat.h"

void forms_add_x3(int32_t dtype, int32_t numerics, int64_t count, int32_t x3_dtype, const void *x3, float *partial)
{
    for (int64_t i = 0; i < count; i++) {
        float before = partial[i];
        if (numerics == MMARN_NUMERICS_ASCEND)
            before = halffloat_round(dtype, before);
        partial[i] = before + halffloat_load(x3_dtype, x3, (size_t)i);
    }
}

void forms_store(int32_t dtype, int64_t count, const float *values, void *out)
{
    for (int64_t i = 0; i < count; i++)
        halffloat_store(dtype, out, (size_t)i, values[i]);
}

void forms_plus_one(int32_t dtype, int64_t n, const void *gamma, float *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = 1.0f + halffloat_load(dtype, gamma, (size_t)i);
}

void forms_rstd(int32_t dtype, int32_t numerics, int64_t rows, int64_t n, const void *y, double epsilon, float *rstd)
{
    const size_t row_bytes = (size_t)n * halffloat_size(dtype);
    for (int64_t row = 0; row < rows; row++)
        rstd[row] = exact_rstd(dtype, numerics, n, (const char *)y + (size_t)row * row_bytes, epsilon);
}

void forms_quantise(int32_t dtype, int64_t rows, int64_t n, const void *values, signed char *out, float *scale)
{
    for (int64_t row = 0; row < rows; row++) {
        float largest = 0;
        for (int64_t i = row * n; i < (row + 1) * n; i++) {
            const float size = fabsf(halffloat_load(dtype, values, (size_t)i));
            if (isnan(size) || isnan(largest))
                largest = NAN;
            else
                largest = size > largest ? size : largest;
        }
        const float up = largest < 0x1p-100f ? 0x1p100f : 1.0f;
        const float factor = isfinite(largest) && largest > 0 ? 127.0f / (largest * up) : 0.0f;
        scale[row] = largest / 127.0f;
        for (int64_t i = row * n; i < (row + 1) * n; i++)
            out[i] = factor > 0 ? (signed char)rintf(halffloat_load(dtype, values, (size_t)i) * up * factor) : 0;
    }
}

void forms_shard(int64_t rows, int rank, int world_size, int64_t *first, int64_t *count)
{
    *first = 0;
    for (int r = 0; r <= rank; r++) {
        *count = rows / world_size + (r < rows % world_size ? 1 : 0);
        if (r < rank)
            *first += *count;
    }
}
