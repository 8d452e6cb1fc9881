/* SPDX-License-Identifier: MIT */
/* output.h - one result of a call: an array that the caller passed, or a new one of the framework of another. */
#ifndef MMARN_PYTHON_OUTPUT_H
#define MMARN_PYTHON_OUTPUT_H

#include "call.h"

struct output {
    struct array array;
    PyObject *object; /* owned; NULL after a failure */
    PyObject *like;   /* borrowed; NULL: the caller passed object */
};

/* given is None for a new array. dtype and shape are array_new's. */
const mmarn_tensor *output_open(struct call *call, PyObject *given, PyObject *like, const char *name, mmarn_dtype dtype,
                                const mmarn_tensor *shape, struct output *output);

/*
 * Of a new norm_out: 0, which is residual's own, but beside a residual in fp32 the dtype of the matmul, which is x's,
 * or int8_out for an int8 x.
 */
mmarn_dtype output_norm_dtype(const mmarn_tensor *residual, const mmarn_tensor *x, mmarn_dtype int8_out);

/* After a call that succeeded: what the caller gets, a new reference. NULL with an exception. */
PyObject *output_take(struct output *output);

/* Both of a call's results as a tuple. */
PyObject *output_take_both(struct output *y, struct output *norm_out);

void output_release(struct output *output);

#endif
