/* SPDX-License-Identifier: MIT */
/*
 * dequantise.c - converts int32 sums to fp32, in place. It makes one pass over a tile that was just written, so plain C
 * that compilers vectorise is enough.
 */
#include <assert.h>
#include <string.h>

#include "base/float_env.h"
#include "gemm/gemm.h"

/* Reads the sum as bytes, because the element is an int32 before and a float after. */
static uint32_t sum_at(const float *c)
{
    uint32_t sum;
    memcpy(&sum, c, sizeof sum);
    return sum;
}

void gemm_dequantise(float *c, ptrdiff_t ldc, int m, int n, const int32_t *bias, const float *scale,
                     const float *row_scale)
{
    assert(m > 0 && n > 0 && scale && ldc >= n && float_env_holds());
    for (int i = 0; i < m; i++, c += ldc) {
        if (bias)
            for (int j = 0; j < n; j++)
                c[j] = (float)(int32_t)(sum_at(&c[j]) + (uint32_t)bias[j]) * scale[j];
        else
            for (int j = 0; j < n; j++)
                c[j] = (float)(int32_t)sum_at(&c[j]) * scale[j];
        if (row_scale)
            for (int j = 0; j < n; j++)
                c[j] *= row_scale[i];
    }
}
