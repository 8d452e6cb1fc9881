/* SPDX-License-Identifier: MIT */
/*
 * expand_ref.c - the definition of the kernels that expand weights: plain C, one weight at a time, over the plain
 * conversions.
 */
#include "base/convert.h"
#include "gemm/kernel/expand_kernel.h"
#include "gemm/ref/integer_ref.h"

static float round_to(int32_t dtype, float value)
{
    const struct convert_kernel *convert = convert_kernels[0];
    float narrow;
    convert->from_f32[dtype](&value, &narrow, 1);
    convert->to_f32[dtype](&narrow, &value, 1);
    return value;
}

/* w of row p and column j of a run, as fp32. */
static float expanded(int32_t dtype, int32_t x_dtype, const struct expand_run *run, int p, int j)
{
    const int8_t *panel = (const int8_t *)run->b + gemm_bytes(dtype, j / GEMM_NR * run->panel_stride);
    float w = (float)integer_at(dtype, panel, p, j % GEMM_NR);
    if (run->offset) {
        w += run->offset[j];
        if (x_dtype == MMARN_F16)
            w = round_to(MMARN_F16, w);
    }
    return round_to(x_dtype, w * run->scale[j]);
}

static void expand(int32_t dtype, int32_t x_dtype, const struct expand_run *run, float *dst, ptrdiff_t panel_stride)
{
    for (int j = 0; j < run->n; j++)
        for (int p = 0; p < run->k; p++)
            dst[j / GEMM_NR * panel_stride + p * GEMM_NR + j % GEMM_NR] = expanded(dtype, x_dtype, run, p, j);
}

/* clang-format off */
#define PAIRS(X)                                  \
    X(I8, F16) X(I8, BF16) X(I8, F32)             \
    X(I4, F16) X(I4, BF16) X(I4, F32)
/* clang-format on */
#define DEFINE(type, x_type)                                                                                           \
    static void expand_##type##_##x_type(const struct expand_run *run, float *dst, ptrdiff_t panel_stride)             \
    {                                                                                                                  \
        expand(MMARN_##type, MMARN_##x_type, run, dst, panel_stride);                                                  \
    }
PAIRS(DEFINE)
#define EXPAND(type, x_type) [MMARN_##type][MMARN_##x_type] = expand_##type##_##x_type,

const struct expand_kernel expand_ref = {
    .name = "ref",
    .needs = 0,
    .expand = {PAIRS(EXPAND)},
};
