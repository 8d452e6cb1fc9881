/* SPDX-License-Identifier: MIT */
/*
 * buffers.h - the memory of a NumPy array through Python's buffer protocol: before NumPy 2.1 its DLPack exports nothing
 * that is read-only, because DLPack could not say so. Of other types __dlpack__ has the last word, which may refuse
 * for what a buffer does not tell.
 */
#ifndef MMARN_PYTHON_BUFFERS_H
#define MMARN_PYTHON_BUFFERS_H

#include "core.h"
#include "dlpack_abi.h"

enum buffer { BUFFER_NONE, BUFFER_ODD_STRIDES, BUFFER_OPEN };

/*
 * Describes the memory as DLPack does; the owner, a new reference, keeps it and what tensor points to. Of what is not
 * OPEN nothing is given, and no exception set: an array without such a buffer, or one whose strides are no multiples of
 * its elements' size. A type that DLPack has no code for gets 0 bits.
 */
enum buffer buffer_open(PyObject *object, DLTensor *tensor, bool *read_only, PyObject **owner);

#endif
