/* SPDX-License-Identifier: MIT */
/* tensor.h - shapes, strides and memory of one tensor or two. */
#ifndef MMARN_OP_TENSOR_H
#define MMARN_OP_TENSOR_H

#include <assert.h>
#include <stdbool.h>

#include "mmarn/mmarn.h"

/* "(4, 1024, 8192)"; the buffer is the calling thread's and serves the last four calls. */
const char *tensor_shape(const mmarn_tensor *tensor);

/* The same memory with the last two axes swapped; fewer axes stay as they are. */
mmarn_tensor tensor_transposed(const mmarn_tensor *tensor);

/* Product of all axes but the last, and the last. */
static inline int64_t tensor_rows(const mmarn_tensor *tensor)
{
    int64_t rows = 1;
    for (int i = 0; i < tensor->ndim - 1; i++)
        rows *= tensor->shape[i];
    return rows;
}
static inline int64_t tensor_last(const mmarn_tensor *tensor)
{
    assert(tensor->ndim > 0 && tensor->ndim <= MMARN_MAX_NDIM);
    return tensor->shape[tensor->ndim - 1];
}
/* A tensor as rows of n elements; a vector is rows of one. */
struct matrix {
    int64_t rows, n;
};
struct matrix tensor_matrix(const mmarn_tensor *tensor);
static inline int64_t tensor_elements(const mmarn_tensor *tensor)
{
    return tensor->ndim ? tensor_rows(tensor) * tensor_last(tensor) : 1;
}
bool tensor_same_shape(const mmarn_tensor *a, const mmarn_tensor *b);
bool tensor_contiguous(const mmarn_tensor *tensor);

/* The bytes [first, end) of a contiguous tensor; none where it has no elements or no data. */
struct span {
    uintptr_t first, end;
};
struct span tensor_span(const mmarn_tensor *tensor);
/* Do the two spans share a byte? */
static inline bool span_overlap(struct span a, struct span b)
{
    return a.first < b.end && b.first < a.end;
}
bool tensor_overlap(const mmarn_tensor *a, const mmarn_tensor *b);

#endif
