/* SPDX-License-Identifier: MIT */
/* form.h - the arrays of one step whose outputs are chosen one by one: read, made, and handed back. */
#ifndef MMARN_PYTHON_FORM_H
#define MMARN_PYTHON_FORM_H

#include "output.h"

enum form_input { FORM_X1, FORM_RESIDUAL, FORM_X1_SCALE, FORM_X3, FORM_INPUTS };
enum form_output { FORM_Y, FORM_NORM_OUT, FORM_MM_OUT, FORM_RSTD, FORM_NORM_SCALE, FORM_OUTPUTS };

struct form {
    struct array inputs[FORM_INPUTS];
    struct output outputs[FORM_OUTPUTS];
    mmarn_step step;
};

/* Reads x1, residual, x1_scale and x3; objects may be None but for x1. x1_name: what the caller calls it. */
void form_read(struct call *call, PyObject *const objects[FORM_INPUTS], const char *x1_name, struct form *form);

/*
 * Opens the outputs. n is their columns; rows this rank's, or -1: all of x1's, in its leading axes. int8_out is the
 * dtype of outputs where x1 is int8, or 0 where it is not known.
 */
void form_open(struct call *call, PyObject *const inputs[FORM_INPUTS], PyObject *const objects[FORM_OUTPUTS], int64_t n,
               int64_t rows, mmarn_dtype int8_out, struct form *form);

/* Rows of x1 in all its leading axes, and its last axis; 0 where it has none. */
int64_t form_rows(const mmarn_tensor *x1);
int64_t form_columns(const mmarn_tensor *x1);

/* The results of a call, or NULL with its exception; releases the arrays either way. */
PyObject *form_finish(struct call *call, mmarn_status status, struct form *form);

#endif
