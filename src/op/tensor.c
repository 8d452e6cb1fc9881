/*
 * tensor.c - shapes, strides and memory of tensors, and the sentences about them. Strides of axes of size 1 mean
 * nothing.
 */
#include "op/tensor.h"

#include <stdio.h>

#include "base/dtype.h"
#include "base/error.h"

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

int64_t tensor_rows(const mmarn_tensor *tensor)
{
    int64_t rows = 1;
    for (int i = 0; i < tensor->ndim - 1; i++)
        rows *= tensor->shape[i];
    return rows;
}

int64_t tensor_last(const mmarn_tensor *tensor)
{
    return tensor->shape[tensor->ndim - 1];
}

int64_t tensor_elements(const mmarn_tensor *tensor)
{
    int64_t count = 1;
    for (int i = 0; i < tensor->ndim; i++)
        count *= tensor->shape[i];
    return count;
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

static uintptr_t bytes_end(const mmarn_tensor *tensor)
{
    return (uintptr_t)tensor->data +
           ((uintptr_t)tensor_elements(tensor) * (uintptr_t)dtype_bits(tensor->dtype) + 7) / 8;
}

bool tensor_overlap(const mmarn_tensor *a, const mmarn_tensor *b)
{
    if (!a->data || !b->data || tensor_elements(a) == 0 || tensor_elements(b) == 0)
        return false;
    return (uintptr_t)a->data < bytes_end(b) && (uintptr_t)b->data < bytes_end(a);
}

mmarn_status tensor_check_given(const char *name, const void *pointer)
{
    return pointer ? MMARN_OK : error_set(MMARN_ERR_NULL, "%s is NULL but it is required", name);
}

mmarn_status tensor_check_form(const char *name, const mmarn_tensor *tensor, int least, int most)
{
    if (tensor->ndim < least || tensor->ndim > most) {
        if (least == most)
            return error_set(MMARN_ERR_ARGUMENT, "%s has %d axes; it must have %d", name, tensor->ndim, least);
        return error_set(MMARN_ERR_ARGUMENT, "%s has %d axes; it must have %d to %d", name, tensor->ndim, least, most);
    }
    int64_t bytes = 64; /* more than the widest dtype's, in bits: whatever the dtype turns out to be, sizes fit */
    for (int i = 0; i < tensor->ndim; i++)
        if (tensor->shape[i] < 0)
            return error_set(MMARN_ERR_ARGUMENT, "%s is %s; axis %d must not be negative", name, tensor_shape(tensor),
                             i);
    for (int i = 0; i < tensor->ndim; i++)
        if (tensor->shape[i] > 0 && __builtin_mul_overflow(bytes, tensor->shape[i], &bytes))
            return error_set(MMARN_ERR_ARGUMENT, "%s is %s, more elements than %lld bytes hold", name,
                             tensor_shape(tensor), (long long)INT64_MAX);
    return MMARN_OK;
}

mmarn_status tensor_check_data(const char *name, const mmarn_tensor *tensor)
{
    if (!tensor || tensor->data || tensor_elements(tensor) == 0)
        return MMARN_OK;
    return error_set(MMARN_ERR_NULL, "%s->data is NULL but %s has %lld elements", name, name,
                     (long long)tensor_elements(tensor));
}

mmarn_status tensor_check_dtype(const char *name, const mmarn_tensor *tensor, const char *like, int32_t dtype)
{
    if (tensor->dtype == dtype)
        return MMARN_OK;
    return error_set(MMARN_ERR_UNSUPPORTED, "%s is %s but %s is %s", name, dtype_name(tensor->dtype), like,
                     dtype_name(dtype));
}

mmarn_status tensor_check_contiguous(const char *name, const mmarn_tensor *tensor)
{
    if (tensor_contiguous(tensor))
        return MMARN_OK;
    mmarn_tensor strides = *tensor;
    for (int i = 0; i < tensor->ndim; i++)
        strides.shape[i] = tensor->strides[i];
    return error_set(MMARN_ERR_UNSUPPORTED, "%s is %s with strides %s; it must be contiguous", name,
                     tensor_shape(tensor), tensor_shape(&strides));
}

mmarn_status tensor_check_apart(const char *a_name, const mmarn_tensor *a, const char *b_name, const mmarn_tensor *b,
                                bool may_be_same)
{
    if (!a || !b || !tensor_overlap(a, b) || (may_be_same && a->data == b->data && a->dtype == b->dtype))
        return MMARN_OK;
    return error_set(MMARN_ERR_ARGUMENT, "%s (at %p) overlaps %s (at %p); it must %s", a_name, a->data, b_name, b->data,
                     may_be_same ? "be the same memory or none of it" : "be memory of its own");
}
