/* SPDX-License-Identifier: MIT */
/* buffers.c - see buffers.h. */
#include "buffers.h"

#include <string.h>

struct held {
    Py_buffer view;
    int64_t shape[MMARN_MAX_NDIM], strides[MMARN_MAX_NDIM];
};

static void let_go(PyObject *capsule)
{
    struct held *held = PyCapsule_GetPointer(capsule, NULL);
    PyBuffer_Release(&held->view);
    PyMem_Free(held);
}

/* Of a struct-module format: one letter, perhaps behind the mark of this machine's byte order. */
static DLDataType type_of(const Py_buffer *view)
{
    static const char letters[] = "bhilqBHILQefd";
    const char *format = view->format ? view->format : "B";
    if (*format == '@' || *format == '=' || *format == (PY_BIG_ENDIAN ? '>' : '<'))
        format++;
    const char *found = *format && !format[1] ? strchr(letters, *format) : NULL;
    DLDataType type = {.lanes = 1};
    if (found && view->itemsize <= (Py_ssize_t)sizeof(int64_t)) {
        type.code = (uint8_t)(found < letters + 5 ? DLPACK_INT : found < letters + 10 ? DLPACK_UINT : DLPACK_FLOAT);
        type.bits = (uint8_t)(8 * view->itemsize);
    }
    return type;
}

static enum buffer describe(struct held *held, DLTensor *tensor)
{
    const Py_buffer *view = &held->view;
    if (view->itemsize <= 0 || !view->shape != !view->ndim || !view->strides != !view->ndim || view->suboffsets)
        return BUFFER_NONE;
    *tensor = (DLTensor){.data = view->buf, .device = {DLPACK_CPU, 0}, .ndim = view->ndim, .dtype = type_of(view)};
    tensor->shape = held->shape;
    tensor->strides = held->strides;
    for (int i = 0; i < view->ndim && i < MMARN_MAX_NDIM; i++) {
        if (view->strides[i] % view->itemsize)
            return BUFFER_ODD_STRIDES;
        held->shape[i] = view->shape[i];
        held->strides[i] = view->strides[i] / view->itemsize;
    }
    return BUFFER_OPEN;
}

enum buffer buffer_open(PyObject *object, DLTensor *tensor, bool *read_only, PyObject **owner)
{
    struct held *held = PyObject_CheckBuffer(object) ? PyMem_Calloc(1, sizeof *held) : NULL;
    if (!held || PyObject_GetBuffer(object, &held->view, PyBUF_FULL_RO) != 0) {
        PyMem_Free(held);
        PyErr_Clear();
        return BUFFER_NONE;
    }
    *read_only = held->view.readonly;
    enum buffer found = describe(held, tensor);
    *owner = found == BUFFER_OPEN ? PyCapsule_New(held, NULL, let_go) : NULL;
    if (*owner)
        return BUFFER_OPEN;
    PyErr_Clear();
    PyBuffer_Release(&held->view);
    PyMem_Free(held);
    return found == BUFFER_OPEN ? BUFFER_NONE : found;
}
