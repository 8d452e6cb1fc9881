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
    /* After a failure the library will refuse the call, and like may be no array at all. */
    if (!call_has_failed(call)) {
        output->object = array_new(like, dtype, shape, &output->array);
        if (!output->object)
            call_fail(call);
    }
    return &output->array.tensor;
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
