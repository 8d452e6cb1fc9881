/* SPDX-License-Identifier: MIT */
/* tensor.c - shapes, strides and memory of tensors. Strides of axes of size 1 mean nothing. */
#include "op/tensor.h"

#include <stdio.h>

#include "base/dtype.h"

mmarn_tensor tensor_transposed(const mmarn_tensor *tensor)
{
    mmarn_tensor seen = *tensor;
    int last = tensor->ndim - 1;
    if (last < 1 || last >= MMARN_MAX_NDIM)
        return seen;
    seen.shape[last] = tensor->shape[last - 1];
    seen.shape[last - 1] = tensor->shape[last];
    seen.strides[last] = tensor->strides[last - 1];
    seen.strides[last - 1] = tensor->strides[last];
    return seen;
}

const char *tensor_shape(const mmarn_tensor *tensor)
{
    static _Thread_local char texts[4][24 * MMARN_MAX_NDIM];
    static _Thread_local unsigned turn;
    char *text = texts[turn++ % 4];
    size_t at = 0, size = sizeof texts[0];
    text[at++] = '(';
    for (int i = 0; i < tensor->ndim; i++)
        at += (size_t)snprintf(text + at, size - at, i ? ", %lld" : "%lld", (long long)tensor->shape[i]);
    snprintf(text + at, size - at, tensor->ndim == 1 ? ",)" : ")");
    return text;
}

struct matrix tensor_matrix(const mmarn_tensor *tensor)
{
    if (tensor->ndim == 1)
        return (struct matrix){tensor->shape[0], 1};
    return (struct matrix){tensor_rows(tensor), tensor_last(tensor)};
}

bool tensor_same_shape(const mmarn_tensor *a, const mmarn_tensor *b)
{
    if (a->ndim != b->ndim)
        return false;
    for (int i = 0; i < a->ndim; i++)
        if (a->shape[i] != b->shape[i])
            return false;
    return true;
}

bool tensor_contiguous(const mmarn_tensor *tensor)
{
    int64_t expected = 1;
    for (int i = tensor->ndim - 1; i >= 0; i--) {
        if (tensor->shape[i] != 1 && tensor->strides[i] != expected)
            return false;
        expected *= tensor->shape[i];
    }
    return true;
}

struct span tensor_span(const mmarn_tensor *tensor)
{
    const uintptr_t first = (uintptr_t)tensor->data;
    const uint64_t elements = (uint64_t)tensor_elements(tensor);
    if (!first || elements == 0)
        return (struct span){0, 0};
    return (struct span){first, first + (elements * (uint64_t)dtype_bits(tensor->dtype) + 7) / 8};
}

bool tensor_overlap(const mmarn_tensor *a, const mmarn_tensor *b)
{
    return span_overlap(tensor_span(a), tensor_span(b));
}
