/* SPDX-License-Identifier: MIT */
/* weights.c - layouts and scales. A scale array is small compared with its weights, so one form serves all shapes. */
#include "op/weights.h"

#include <assert.h>
#include <string.h>

#include "base/convert.h"
#include "base/memory.h"
#include "op/quant_word.h"
#include "op/tensor.h"

enum gemm_layout weights_layout(const mmarn_tensor *x2)
{
    const mmarn_tensor seen = tensor_transposed(x2);
    const bool kn = tensor_contiguous(x2), nk = tensor_contiguous(&seen);
    /* A single column has both layouts; its elements are neighbours along k. */
    if (kn && !(nk && x2->shape[1] == 1))
        return GEMM_KN;
    return nk ? GEMM_NK : GEMM_PACKED;
}

struct gemm_weights weights_borrow(const mmarn_tensor *x2, const struct op_kind *kind)
{
    const enum gemm_layout layout = weights_layout(x2);
    return (struct gemm_weights){
        .dtype = x2->dtype,
        .x_dtype = kind->x_dtype,
        .layout = layout,
        .k = x2->shape[0],
        .n = x2->shape[1],
        .data = x2->data,
        .ld = layout == GEMM_KN ? x2->shape[1] : x2->shape[0],
        .group = x2->shape[0],
    };
}

/* Element `at` of a scale array. */
static float load(const mmarn_tensor *scale, int64_t at)
{
    if (scale->dtype == MMARN_I64 || scale->dtype == MMARN_U64)
        return quant_word_scale(((const uint64_t *)scale->data)[at]);
    float value;
    convert_to_f32(scale->dtype, (const char *)scale->data + (size_t)at * dtype_size(scale->dtype), &value, 1);
    return value;
}

float *weights_scales(const mmarn_tensor *scale, int64_t groups, int64_t n, int64_t scale_ld)
{
    assert(groups >= 0 && n >= 0 && scale_ld >= n && scale_ld % GEMM_NR == 0);
    float *values = memory_alloc((size_t)groups, (size_t)scale_ld * sizeof *values);
    if (!values)
        return NULL;
    const int last = scale->ndim - 1;
    const int64_t group_stride = scale->ndim == 2 && scale->shape[0] > 1 ? scale->strides[0] : 0;
    const int64_t column_stride = scale->shape[last] > 1 ? scale->strides[last] : 0;
    for (int64_t g = 0; g < groups; g++)
        for (int64_t j = 0; j < n; j++)
            values[g * scale_ld + j] = load(scale, g * group_stride + j * column_stride);
    return values;
}
