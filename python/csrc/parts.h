/*
 * parts.h - the operator's parts alone: the all-reduce, with residual and norm if wanted, and quantisation words.
 * Arguments are positional; python/mmarn names them.
 */
#ifndef MMARN_PYTHON_PARTS_H
#define MMARN_PYTHON_PARTS_H

#include "core.h"

/* (x, out, numerics, name) -> out */
PyObject *parts_all_reduce(PyObject *group, PyObject *const *args, Py_ssize_t count);

/* (x, residual, gamma, epsilon, numerics, y, norm_out, name) -> (y, norm_out) */
PyObject *parts_all_reduce_norm(PyObject *group, PyObject *const *args, Py_ssize_t count);

/* (scale, offset, round_mode) -> words */
PyObject *parts_trans_quant_param(PyObject *module, PyObject *const *args, Py_ssize_t count);

/* Are there as many arguments as there must be? False with an exception. */
bool parts_count(Py_ssize_t count, Py_ssize_t expected);

#endif
