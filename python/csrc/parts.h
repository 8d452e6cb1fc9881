/* SPDX-License-Identifier: MIT */
/*
 * parts.h - the operator's parts alone: the all-reduce, with residual and norm if wanted, and quantisation words.
 * Arguments are positional; python/mmarn names them.
 */
#ifndef MMARN_PYTHON_PARTS_H
#define MMARN_PYTHON_PARTS_H

#include "call.h"

/* (x, out, numerics, name) -> out */
PyObject *parts_all_reduce(PyObject *group, PyObject *const *args, Py_ssize_t count);

/* (x, residual, gamma, epsilon, numerics, y, norm_out, name) -> (y, norm_out) */
PyObject *parts_all_reduce_norm(PyObject *group, PyObject *const *args, Py_ssize_t count);

/* (scale, offset, round_mode) -> words */
PyObject *parts_trans_quant_param(PyObject *module, PyObject *const *args, Py_ssize_t count);

/*
 * After a call whose first argument the library calls x1, or in, but Python x: a failure of an argument, which the
 * sentence names, is raised in Python's words.
 */
void parts_name_x(struct call *call, mmarn_status status);

/* Are there as many arguments as there must be? False with an exception. */
bool parts_count(Py_ssize_t count, Py_ssize_t expected);

#endif
