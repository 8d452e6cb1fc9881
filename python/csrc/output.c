/* SPDX-License-Identifier: MIT */
/* output.c - see output.h. */
#include "output.h"

const mmarn_tensor *output_open(struct call *call, PyObject *given, PyObject *like, const char *name, mmarn_dtype dtype,
                                const mmarn_tensor *shape, struct output *output)
{
    if (given != Py_None) {
        Py_INCREF(given);
        output->object = given;
        return call_array(call, given, name, ARRAY_WRITE, &output->array);
    }
    output->like = like;
    /* After a failure the call is refused, and like may be no array at all. */
    if (!call_has_failed(call)) {
        output->object = array_new(like, dtype, shape, &output->array);
        if (!output->object)
            call_fail(call);
    }
    return &output->array.tensor;
}

mmarn_dtype output_norm_dtype(const mmarn_tensor *residual, const mmarn_tensor *x, mmarn_dtype int8_out)
{
    if (residual->dtype != MMARN_F32)
        return 0;
    if (x->dtype == MMARN_F16 || x->dtype == MMARN_BF16)
        return x->dtype;
    return x->dtype == MMARN_I8 ? int8_out : 0;
}

PyObject *output_take(struct output *output)
{
    PyObject *object = output->object;
    output->object = NULL;
    if (output->like)
        return array_finish(output->like, object);
    if (array_written(object))
        return object;
    Py_DECREF(object);
    return NULL;
}

PyObject *output_take_both(struct output *y, struct output *norm_out)
{
    PyObject *first = output_take(y);
    PyObject *second = first ? output_take(norm_out) : NULL;
    PyObject *both = second ? PyTuple_Pack(2, first, second) : NULL;
    Py_XDECREF(first);
    Py_XDECREF(second);
    return both;
}

void output_release(struct output *output)
{
    array_release(&output->array);
    Py_CLEAR(output->object);
}
