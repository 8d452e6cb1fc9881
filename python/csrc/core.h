/* SPDX-License-Identifier: MIT */
/*
 * core.h - what every file of the extension begins with: Python's limited API, the library, and this module's state.
 * The module is of the single-phase kind and its state is static: one interpreter of a process can have it.
 */
#ifndef MMARN_PYTHON_CORE_H
#define MMARN_PYTHON_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#include "mmarn/mmarn_ascend.h"

#define LENGTH(array) ((Py_ssize_t)(sizeof(array) / sizeof *(array)))

/* A function where Python's interface passes it as data. */
#define AS_DATA(function) __extension__(void *)(function)
/* A METH_FASTCALL function in a table of methods. */
#define FASTCALL(function) (PyCFunction)(void (*)(void))(function)

/* Gives an object's memory back to its type, at the end of a dealloc. */
void object_free(PyObject *object);

/* Attributes and methods that are asked of arrays, as interned strings. */
enum name {
    NAME_DLPACK,
    NAME_DTYPE,
    NAME_NUM,
    NAME_REQUIRES_GRAD,
    NAME_DETACH,
    NAME_VIEW,
    NAME_BLOCK_UNTIL_READY,
    NAME_NAME,
    NAME_IS_NEG,
    NAME_CURRENT_LEVEL,
    NAMES
};
extern PyObject *names[NAMES];

#endif
