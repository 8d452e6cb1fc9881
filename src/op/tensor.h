/* tensor.h - shapes, strides and memory of one tensor or two. */
#ifndef MMARN_OP_TENSOR_H
#define MMARN_OP_TENSOR_H

#include <stdbool.h>

#include "mmarn/mmarn.h"

/* "(4, 1024, 8192)"; the buffer is the calling thread's and serves the last four calls. */
const char *tensor_shape(const mmarn_tensor *tensor);

/* The same memory with the last two axes swapped; fewer axes stay as they are. */
mmarn_tensor tensor_transposed(const mmarn_tensor *tensor);

/* Product of all axes but the last, and the last. */
int64_t tensor_rows(const mmarn_tensor *tensor);
int64_t tensor_last(const mmarn_tensor *tensor);
/* A tensor as rows of n elements; a vector is rows of one. */
struct matrix {
    int64_t rows, n;
};
struct matrix tensor_matrix(const mmarn_tensor *tensor);
int64_t tensor_elements(const mmarn_tensor *tensor);
bool tensor_same_shape(const mmarn_tensor *a, const mmarn_tensor *b);
bool tensor_contiguous(const mmarn_tensor *tensor);
/* Do they share a byte? Empty tensors, and those without data, share none. */
bool tensor_overlap(const mmarn_tensor *a, const mmarn_tensor *b);

#endif
