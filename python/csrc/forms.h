/* SPDX-License-Identifier: MIT */
/*
 * forms.h - the operator's other forms: a step whose outputs are chosen one by one, the matmul with its all-reduce, the
 * norm alone, rows dealt out and gathered. Arguments are positional; python/mmarn names them.
 *
 * An output is None (not wanted), True (a new array), or the array to write; norm_out may also be 'int8', for a new one
 * in int8. Results are (y, norm_out, mm_out, rstd, norm_scale), None where not wanted.
 */
#ifndef MMARN_PYTHON_FORMS_H
#define MMARN_PYTHON_FORMS_H

#include "core.h"

/* Of an Op: (x1, residual, x1_scale, x3, y, norm_out, mm_out, rstd, norm_scale) -> results */
PyObject *forms_step(PyObject *op, PyObject *const *args, Py_ssize_t count);

/* Of an Op: (rows) -> {"kernel": ..., ...} */
PyObject *forms_describe(PyObject *op, PyObject *rows);

/* (group, x1, x1_scale, x3, out, *weights, name) -> out */
PyObject *forms_mm_all_reduce(PyObject *module, PyObject *const *args, Py_ssize_t count);

/*
 * Of a Group: (x, residual, gamma, epsilon, numerics, gamma_plus_one, norm_first, shard_rows, y, norm_out, mm_out,
 * rstd, norm_scale, name) -> results
 */
PyObject *forms_all_reduce_norm(PyObject *group, PyObject *const *args, Py_ssize_t count);

/* (group or None, then as forms_all_reduce_norm's, without a name) -> results */
PyObject *forms_add_norm(PyObject *module, PyObject *const *args, Py_ssize_t count);

/* Of a Group: (x, out or None, numerics, name) -> out */
PyObject *forms_reduce_scatter(PyObject *group, PyObject *const *args, Py_ssize_t count);

/* Of a Group: (x, out or None, rows or None, name) -> out */
PyObject *forms_all_gather(PyObject *group, PyObject *const *args, Py_ssize_t count);

#endif
