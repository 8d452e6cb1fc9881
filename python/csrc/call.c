/* call.c - see call.h. */
#include "call.h"

#include <math.h>
#include <string.h>

#include "errors.h"

/* This thread's state while it is in the library; NULL on threads that the library started. */
static _Thread_local PyThreadState *outside;

void call_fail(struct call *call)
{
    if (call_has_failed(call))
        PyErr_Clear();
    else
        PyErr_Fetch(&call->type, &call->value, &call->traceback);
}

const mmarn_tensor *call_array(struct call *call, PyObject *object, const char *name, enum array_use use,
                               struct array *array)
{
    if (!array_read(object, name, use, array))
        call_fail(call);
    return &array->tensor;
}

const mmarn_tensor *call_optional(struct call *call, PyObject *object, const char *name, enum array_use use,
                                  struct array *array)
{
    return object == Py_None ? NULL : call_array(call, object, name, use, array);
}

int32_t call_numerics(struct call *call, PyObject *object)
{
    static const char *const modes[] = {"default", "ascend", "fp32"}; /* at the places of enum mmarn_numerics */
    if (PyUnicode_Check(object))
        for (int32_t i = 0; i < (int32_t)LENGTH(modes); i++)
            if (PyUnicode_CompareWithASCIIString(object, modes[i]) == 0)
                return i;
    PyErr_Format(PyUnicode_Check(object) ? PyExc_ValueError : PyExc_TypeError,
                 "numerics is %R; it must be 'default', 'ascend' or 'fp32'", object);
    call_fail(call);
    return -1;
}

double call_epsilon(struct call *call, PyObject *object)
{
    double epsilon = PyFloat_AsDouble(object);
    if (epsilon != -1.0 || !PyErr_Occurred())
        return epsilon;
    PyErr_Format(PyExc_TypeError, "epsilon is %R; it must be a number", object);
    call_fail(call);
    return NAN;
}

int64_t call_integer(struct call *call, PyObject *object, const char *name)
{
    int64_t value = PyLong_AsLongLong(object);
    if (value != -1 || !PyErr_Occurred())
        return value;
    bool large = PyErr_ExceptionMatches(PyExc_OverflowError);
    PyErr_Format(large ? PyExc_ValueError : PyExc_TypeError, "%s is %R; it must be an integer of 64 bits", name,
                 object);
    call_fail(call);
    return -1;
}

static void name_next(mmarn_comm *comm, PyObject *name)
{
    Py_ssize_t size = 0;
    const char *text = PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, &size) : NULL;
    if (!PyUnicode_Check(name))
        PyErr_Format(PyExc_TypeError, "name is %R; it must be None or a str", name);
    else if (text && (Py_ssize_t)strlen(text) != size)
        PyErr_Format(PyExc_ValueError, "name is %R, which has a zero in it", name);
    else if (text) {
        mmarn_status status = mmarn_comm_name_next(comm, text);
        if (status != MMARN_OK)
            errors_raise_last(status);
    }
}

void call_name(struct call *call, mmarn_comm *comm, PyObject *name, const mmarn_tensor **tensor)
{
    static const mmarn_tensor unreadable;
    if (name == Py_None)
        return;
    name_next(comm, name);
    if (!PyErr_Occurred())
        return;
    call_fail(call);
    *tensor = &unreadable;
}

void call_begin(void)
{
    outside = PyEval_SaveThread();
}

void call_end(void)
{
    PyThreadState *state = outside;
    outside = NULL;
    PyEval_RestoreThread(state);
}

int32_t call_interrupted(void *ctx)
{
    (void)ctx;
    if (!outside)
        return 0;
    call_end();
    /* The exception stays with this thread until call_succeeded; a second question must not lose it. */
    int32_t interrupted = PyErr_Occurred() || PyErr_CheckSignals() != 0;
    call_begin();
    return interrupted;
}

static void forget(struct call *call)
{
    Py_XDECREF(call->type);
    Py_XDECREF(call->value);
    Py_XDECREF(call->traceback);
}

bool call_succeeded(struct call *call, mmarn_status status)
{
    if (PyErr_Occurred()) { /* a signal's handler raised it, whatever became of the call */
        forget(call);
        return false;
    }
    if (call_has_failed(call)) {
        PyErr_Restore(call->type, call->value, call->traceback);
        return false;
    }
    if (status != MMARN_OK)
        errors_raise_last(status);
    return status == MMARN_OK;
}
