/*
 * tensor.h - questions about one tensor or two, for check.c; each failed question is one sentence with its name in it.
 */
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
int64_t tensor_elements(const mmarn_tensor *tensor);
bool tensor_same_shape(const mmarn_tensor *a, const mmarn_tensor *b);
bool tensor_contiguous(const mmarn_tensor *tensor);
/* Do they share a byte? Empty tensors, and those without data, share none. */
bool tensor_overlap(const mmarn_tensor *a, const mmarn_tensor *b);

/* NULL: MMARN_ERR_NULL. */
mmarn_status tensor_check_given(const char *name, const void *pointer);
/* Axes between least and most, no negative size, an element count that memory could hold. */
mmarn_status tensor_check_form(const char *name, const mmarn_tensor *tensor, int least, int most);
/* NULL data with elements: MMARN_ERR_NULL. tensor may be NULL. */
mmarn_status tensor_check_data(const char *name, const mmarn_tensor *tensor);
mmarn_status tensor_check_dtype(const char *name, const mmarn_tensor *tensor, const char *like, int32_t dtype);
mmarn_status tensor_check_contiguous(const char *name, const mmarn_tensor *tensor);
/* a must not overlap b, unless may_be_same and they are one and the same memory. Either may be NULL. */
mmarn_status tensor_check_apart(const char *a_name, const mmarn_tensor *a, const char *b_name, const mmarn_tensor *b,
                                bool may_be_same);

#endif
