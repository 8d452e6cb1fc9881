/* SPDX-License-Identifier: MIT */
/*
 * kinds.h - what is known of an array's type: how it hands out its memory, and which framework's rules it follows.
 * Found out once for each type and remembered.
 */
#ifndef MMARN_PYTHON_KINDS_H
#define MMARN_PYTHON_KINDS_H

#include "core.h"
#include "dlpack_abi.h"

struct kind {
    PyTypeObject *type;
    PyObject *refusal;                 /* why none of this type is read, as the end of a sentence; or NULL */
    bool refused;                      /* stands for a tensor that has been refused, and knows why */
    const DLPackExchangeAPI *exchange; /* NULL: by way of __dlpack__ */
    bool torch;                        /* gradients may be wanted, and writes are counted */
    bool numpy;                        /* exports no bfloat16 */
    bool jax;                          /* never written into, and computed behind the caller's back */
    PyObject *maker;                   /* makes an array like its argument; NULL until it is asked for */
};

/* The kind of an object's type; valid until the next call. With an exception, one that says nothing. */
struct kind *kind_of(PyObject *object);

#endif
