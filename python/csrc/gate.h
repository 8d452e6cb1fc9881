/* SPDX-License-Identifier: MIT */
/*
 * gate.h - the native half of the gate: may this object's memory be read, or written, as the numbers that lie in it?
 * What counts and the sentences are in mmarn/_gate.py; here is only the quick look that finds out when to ask it.
 */
#ifndef MMARN_PYTHON_GATE_H
#define MMARN_PYTHON_GATE_H

#include "arrays.h"
#include "kinds.h"

/* False, with an exception that names the argument, for what its framework has given another meaning. */
bool gate_admits(PyObject *object, const char *name, enum array_use use, const struct kind *kind);

/* Torch's types of fewer than 8 bits have elements of a byte each by DLPack; of those true bytes, this is one. */
bool gate_is_byte(PyObject *tensor);

/* After a failure to read a tensor of torch's: the gate's sentence, where it has one, in place of any exception. */
bool gate_explains(PyObject *object, const char *name);

#endif
