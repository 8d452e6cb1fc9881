/* SPDX-License-Identifier: MIT */
/*
 * arrays.h - Python's arrays as the library's tensors: torch, NumPy (bfloat16 through ml_dtypes), JAX, and whatever
 * else speaks DLPack. Nothing is copied.
 */
#ifndef MMARN_PYTHON_ARRAYS_H
#define MMARN_PYTHON_ARRAYS_H

#include "core.h"

enum array_use {
    ARRAY_READ,   /* for the length of one call */
    ARRAY_KEEP,   /* read, for as long as the struct array holds it */
    ARRAY_WRITE,  /* written during one call */
    ARRAY_NIBBLES /* as KEEP, but each byte holds two elements of 4 bits */
};

struct array {
    mmarn_tensor tensor; /* all zero after a failure, which the library refuses wherever there is work to do */
    PyObject *owner;     /* what keeps the memory, or NULL: the caller's own reference does */
};

/*
 * Reads an object; false, with an exception that names the argument, for what is no array, of a dtype that the library
 * has no type for, on another device, wants a gradient, or is read-only and to be written.
 */
bool array_read(PyObject *object, const char *name, enum array_use use, struct array *array);
void array_release(struct array *array);

/*
 * A new array of like's framework, and its memory; NULL with an exception. dtype is a float, I8, I32 or I64, or 0
 * for like's own dtype and shape.
 */
PyObject *array_new(PyObject *like, mmarn_dtype dtype, const mmarn_tensor *shape, struct array *array);

/* What the caller is given for an array from array_new that has been written; takes over the reference. */
PyObject *array_finish(PyObject *like, PyObject *written);

/* Tells the framework that an array that the caller passed has been written; false with an exception. */
bool array_written(PyObject *object);

#endif
