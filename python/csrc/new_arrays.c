/* SPDX-License-Identifier: MIT */
/* new_arrays.c - arrays for results: made by the caller's framework, and handed over as it wishes. */
#include "arrays.h"
#include "frameworks.h"
#include "kinds.h"

static PyObject *make_like(PyObject *like)
{
    PyObject *maker = kind_of(like)->maker;
    if (!maker) {
        maker = frameworks_call(FRAMEWORKS_MAKER, (PyObject *)Py_TYPE(like), NULL, NULL);
        struct kind *kind = kind_of(like); /* anew: the call may have met other types */
        Py_XDECREF(kind->maker);
        kind->maker = maker;
    }
    return maker ? PyObject_CallFunctionObjArgs(maker, like, NULL) : NULL;
}

static PyObject *make(PyObject *like, mmarn_dtype dtype, const mmarn_tensor *shape)
{
    static const char *const names_of[] = {[MMARN_F16] = "float16", [MMARN_BF16] = "bfloat16", [MMARN_F32] = "float32",
                                           [MMARN_I8] = "int8",     [MMARN_I32] = "int32",     [MMARN_I64] = "int64"};
    PyObject *axes = PyTuple_New(shape->ndim);
    for (int i = 0; axes && i < shape->ndim; i++)
        PyTuple_SetItem(axes, i, PyLong_FromLongLong(shape->shape[i]));
    PyObject *name = PyUnicode_FromString(names_of[dtype]);
    PyObject *made = axes && name ? frameworks_call(FRAMEWORKS_EMPTY, like, axes, name) : NULL;
    Py_XDECREF(axes);
    Py_XDECREF(name);
    return made;
}

PyObject *array_new(PyObject *like, mmarn_dtype dtype, const mmarn_tensor *shape, struct array *array)
{
    PyObject *made = dtype ? make(like, dtype, shape) : make_like(like);
    if (made && !array_read(made, "the result", ARRAY_WRITE, array))
        Py_CLEAR(made);
    return made;
}

PyObject *array_finish(PyObject *like, PyObject *written)
{
    if (!kind_of(like)->jax)
        return written;
    PyObject *finished = frameworks_call(FRAMEWORKS_FINISH_JAX, like, written, NULL);
    Py_DECREF(written);
    return finished;
}

bool array_written(PyObject *object)
{
    static PyObject *count;
    if (!kind_of(object)->torch)
        return true;
    if (!count)
        count = frameworks_call(FRAMEWORKS_TORCH_WRITTEN, NULL, NULL, NULL);
    PyObject *done = count ? PyObject_CallFunctionObjArgs(count, object, NULL) : NULL;
    Py_XDECREF(done);
    return done != NULL;
}
