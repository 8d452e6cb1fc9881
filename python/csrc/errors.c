/* SPDX-License-Identifier: MIT */
/* errors.c - which exception stands for which status. */
#include "errors.h"

#include <string.h>

static PyObject *type_of(mmarn_status status)
{
    switch (status) {
    case MMARN_OK:
        break;
    case MMARN_ERR_NULL:
    case MMARN_ERR_ARGUMENT:
    case MMARN_ERR_MISMATCH:
        return PyExc_ValueError;
    case MMARN_ERR_UNSUPPORTED:
        return PyExc_TypeError;
    case MMARN_ERR_MEMORY:
        return PyExc_MemoryError;
    case MMARN_ERR_SYSTEM:
        return PyExc_OSError;
    case MMARN_ERR_PEER:
        return PyExc_ConnectionError;
    case MMARN_ERR_TIMEOUT:
        return PyExc_TimeoutError;
    case MMARN_ERR_ABORTED:
        return PyExc_ConnectionAbortedError;
    case MMARN_ERR_FORKED:
    case MMARN_ERR_BUSY:
        break;
    }
    return PyExc_RuntimeError;
}

static bool set_attribute(PyObject *exception, const char *name, PyObject *value)
{
    bool set = value && PyObject_SetAttrString(exception, name, value) == 0;
    Py_XDECREF(value);
    return set;
}

PyObject *errors_raise(mmarn_status status, const char *sentence, int32_t code)
{
    /* A sentence may have been cut in the middle of a character that a caller gave. */
    PyObject *text = PyUnicode_DecodeUTF8(sentence, (Py_ssize_t)strlen(sentence), "replace");
    PyObject *exception = text ? PyObject_CallFunctionObjArgs(type_of(status), text, NULL) : NULL;
    if (exception && set_attribute(exception, "status", PyUnicode_FromString(mmarn_status_string(status))) &&
        set_attribute(exception, "code", PyLong_FromLong(code)))
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_XDECREF(exception);
    Py_XDECREF(text);
    return NULL;
}

PyObject *errors_raise_last(mmarn_status status)
{
    return errors_raise(status, mmarn_last_error(), mmarn_last_code());
}

/* Of an exception's text, which may go on with a trace of another library. NULL, without an exception, for none. */
static PyObject *first_line(PyObject *exception)
{
    PyObject *text = PyObject_Str(exception);
    Py_ssize_t end = text ? PyUnicode_FindChar(text, '\n', 0, PyUnicode_GetLength(text), 1) : -1;
    if (end >= 0) {
        PyObject *line = PyUnicode_Substring(text, 0, end);
        Py_DECREF(text);
        text = line;
    }
    PyErr_Clear();
    return text;
}

void errors_explain(const char *name)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception) || PyErr_ExceptionMatches(PyExc_MemoryError))
        return;
    PyObject *type, *cause, *traceback;
    PyErr_Fetch(&type, &cause, &traceback);
    PyErr_NormalizeException(&type, &cause, &traceback);
    PyObject *sentence = first_line(cause);
    PyErr_Format(PyExc_TypeError, "%s cannot be read through DLPack: %V", name, sentence, "no reason is given");
    Py_XDECREF(sentence);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    PyObject *value;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyException_SetCause(value, cause); /* takes over the reference */
    PyErr_Restore(type, value, traceback);
}
