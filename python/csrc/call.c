/* SPDX-License-Identifier: MIT */
/* call.c - see call.h. */
#include "call.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "errors.h"

/* How long a wait may still last once the interpreter has begun to end: ranks that are busy get to their next call. */
static const int64_t ENDING_GRACE_NS = 500000000;

/* This thread's state while it is in the library; NULL on threads that the library started. */
static _Thread_local PyThreadState *outside;
/* When this thread's call gives up, as the interpreter is ending; 0 while it is not. Whether it has. */
static _Thread_local int64_t give_up_at;
static _Thread_local bool given_up;
/* Called to ask whether the interpreter waits for this thread to end; NULL: it never does. */
static PyObject *ending;

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
    static const char *const modes[] = {"default", "ascend", "fp32"}; /* at the places of mmarn_numerics */
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

/* NumPy has a bool of its own, of which there are two objects: 1 or 0; -1 for anything else. */
static int numpy_flag(PyObject *object)
{
    PyObject *module = PyObject_GetAttrString((PyObject *)Py_TYPE(object), "__module__");
    PyObject *name = PyObject_GetAttrString((PyObject *)Py_TYPE(object), "__name__");
    const bool is =
        module && name && PyUnicode_Check(module) && PyUnicode_Check(name) &&
        PyUnicode_CompareWithASCIIString(module, "numpy") == 0 &&
        (PyUnicode_CompareWithASCIIString(name, "bool") == 0 || PyUnicode_CompareWithASCIIString(name, "bool_") == 0);
    const int flag = is ? PyObject_IsTrue(object) : -1;
    PyErr_Clear();
    Py_XDECREF(module);
    Py_XDECREF(name);
    return flag;
}

int64_t call_integer(struct call *call, PyObject *object, const char *name)
{
    int64_t value = PyLong_AsLongLong(object);
    if (value != -1 || !PyErr_Occurred())
        return value;
    bool large = PyErr_ExceptionMatches(PyExc_OverflowError);
    PyErr_Clear();
    const int flag = large ? -1 : numpy_flag(object);
    if (flag >= 0)
        return flag;
    PyErr_Format(large ? PyExc_ValueError : PyExc_TypeError, "%s is %R; it must be an integer of 64 bits", name,
                 object);
    call_fail(call);
    return -1;
}

bool call_flag(struct call *call, PyObject *object, const char *name)
{
    if (object == Py_True || object == Py_False)
        return object == Py_True;
    const int flag = numpy_flag(object);
    if (flag >= 0)
        return flag;
    PyErr_Format(PyExc_TypeError, "%s is %R; it must be True or False", name, object);
    call_fail(call);
    return false;
}

bool call_text(PyObject *object, const char *name, bool optional, const char **text)
{
    Py_ssize_t size = 0;
    *text = NULL;
    if (optional && object == Py_None)
        return true;
    if (!PyUnicode_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s is %R; it must be a str%s", name, object, optional ? " or None" : "");
        return false;
    }
    *text = PyUnicode_AsUTF8AndSize(object, &size);
    if (*text && strlen(*text) == (size_t)size)
        return true;
    PyErr_Clear();
    PyErr_Format(PyExc_ValueError, "%s is %R; it may have neither null characters nor surrogates", name, object);
    return false;
}

void call_name(struct call *call, mmarn_comm *comm, PyObject *name)
{
    const char *text = NULL;
    if (name == Py_None)
        return;
    mmarn_status status = call_text(name, "name", true, &text) ? mmarn_comm_name_next(comm, text) : MMARN_OK;
    if (status != MMARN_OK)
        errors_raise_last(status);
    if (PyErr_Occurred())
        call_fail(call);
}

void call_begin(void)
{
    give_up_at = 0;
    given_up = false;
    outside = PyEval_SaveThread();
}

void call_end(void)
{
    PyThreadState *state = outside;
    outside = NULL;
    PyEval_RestoreThread(state);
}

PyObject *call_ask_ending(PyObject *module, PyObject *question)
{
    (void)module;
    Py_INCREF(question);
    Py_XDECREF(ending);
    ending = question;
    Py_RETURN_NONE;
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Has this thread waited long enough for an interpreter that is about to end? True with an exception when asking
 * failed.
 */
static bool ends(void)
{
    PyObject *answer = ending ? PyObject_CallNoArgs(ending) : Py_NewRef(Py_False);
    const int yes = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    if (yes > 0 && give_up_at == 0)
        give_up_at = now() + ENDING_GRACE_NS;
    given_up = yes > 0 && now() >= give_up_at;
    return yes < 0 || given_up;
}

int32_t call_interrupted(void *ctx)
{
    (void)ctx;
    if (!outside)
        return 0;
    call_end();
    /* The exception stays with this thread until call_succeeded; a second question must not lose it. */
    int32_t interrupted = PyErr_Occurred() || PyErr_CheckSignals() != 0 || ends();
    outside = PyEval_SaveThread();
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
    if (status == MMARN_ERR_ABORTED && given_up)
        errors_raise(status, "the interpreter is ending, so this rank has given up waiting for its peers",
                     mmarn_last_code());
    else if (status != MMARN_OK)
        errors_raise_last(status);
    return status == MMARN_OK;
}
