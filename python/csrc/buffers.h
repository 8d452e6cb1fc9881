/*
 * buffers.h - an array's memory through Python's buffer protocol, for arrays whose DLPack refuses to show it: NumPy
 * before 2.1 exports no read-only array by DLPack, because DLPack could not say that it is one.
 */
#ifndef MMARN_PYTHON_BUFFERS_H
#define MMARN_PYTHON_BUFFERS_H

#include "core.h"
#include "dlpack_abi.h"

enum buffer { BUFFER_NONE, BUFFER_ODD_STRIDES, BUFFER_OPEN };

/*
 * Describes the memory as DLPack does; the owner, a new reference, keeps it and what tensor points to. Of what is not
 * OPEN nothing is given, and no exception set: an object without such memory, or one whose strides are no multiples of
 * its elements' size. A type that DLPack has no code for gets 0 bits.
 */
enum buffer buffer_open(PyObject *object, DLTensor *tensor, bool *read_only, PyObject **owner);

#endif
