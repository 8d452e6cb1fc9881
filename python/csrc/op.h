/* SPDX-License-Identifier: MIT */
/*
 * op.h - an operator with its weights, as Python has it: keeps its group alive, and x2 when that is borrowed. And the
 * call that keeps nothing. Arguments are positional; python/mmarn names them.
 */
#ifndef MMARN_PYTHON_OP_H
#define MMARN_PYTHON_OP_H

#include "arrays.h"
#include "group.h"

struct op {
    PyObject_HEAD mmarn_op *handle; /* NULL: closed */
    struct group *group;
    struct array x2; /* owner is NULL unless x2 is borrowed */
    int64_t n;
    mmarn_dtype int8_out; /* weights_int8_out */
    uint32_t flags;       /* mmarn_op_config's */
    PyObject *name;       /* of its calls, or None */
    int calls;            /* threads that are inside the library with it */
    struct op *next;      /* of the group's open ones */
};

/* Makes the type; false with an exception. */
bool op_ready(PyObject *module);

/* Closes it; nobody may be using it. */
void op_destroy(struct op *op);

/* False, with an exception, for one that is closed; a step of it is then refused, and peers are told so: always NULL.
 */
bool op_is_open(const struct op *op);
PyObject *op_refuse_closed(struct op *op, struct call *call);

/* Around the library's calls with it. */
void op_enter(struct op *op);
void op_leave(struct op *op);

/* (group, x1, residual, x1_scale, y, norm_out, *weights, name) -> (y, norm_out) */
PyObject *op_once(PyObject *module, PyObject *const *args, Py_ssize_t count);

#endif
