/* SPDX-License-Identifier: MIT */
/* gate.c - see gate.h. */
#include "gate.h"

#include "frameworks.h"

static bool is_true(PyObject *value)
{
    bool truth = value && PyObject_IsTrue(value) == 1;
    Py_XDECREF(value);
    return truth;
}

/* Would a result that this call computes lack a gradient that the caller expects? */
static bool wants_gradient(PyObject *tensor)
{
    return is_true(PyObject_GetAttr(tensor, names[NAME_REQUIRES_GRAD])) &&
           is_true(frameworks_call(FRAMEWORKS_TORCH_GRAD, NULL, NULL, NULL));
}

/* Is some forward-mode level open? Only then can a tensor have a tangent. */
static bool forward_mode(void)
{
    static PyObject *levels;
    if (!levels)
        levels = frameworks_call(FRAMEWORKS_TORCH_LEVELS, NULL, NULL, NULL);
    PyObject *level = levels ? PyObject_GetAttr(levels, names[NAME_CURRENT_LEVEL]) : NULL;
    bool open = level && PyLong_AsLong(level) >= 0;
    Py_XDECREF(level);
    return open;
}

/* The bits that DLPack's quick way does not see. Whatever else there is has no memory that could be read. */
static bool must_ask(PyObject *tensor)
{
    return is_true(PyObject_CallMethodObjArgs(tensor, names[NAME_IS_NEG], NULL)) || forward_mode();
}

bool gate_is_byte(PyObject *tensor)
{
    static PyObject *bytes; /* torch has one object for each dtype */
    if (!bytes)
        bytes = frameworks_call(FRAMEWORKS_TORCH_BYTES, NULL, NULL, NULL);
    PyObject *dtype = bytes ? PyObject_GetAttr(tensor, names[NAME_DTYPE]) : NULL;
    bool is = dtype && (dtype == PyTuple_GetItem(bytes, 0) || dtype == PyTuple_GetItem(bytes, 1));
    Py_XDECREF(dtype);
    return is;
}

bool gate_explains(PyObject *object, const char *name)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *reason = frameworks_call(FRAMEWORKS_REASON, object, NULL, NULL);
    bool found = reason && reason != Py_None;
    if (found) {
        PyErr_Format(PyExc_TypeError, "%s %S", name, reason);
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
    } else {
        PyErr_Restore(type, value, traceback);
    }
    Py_XDECREF(reason);
    return found;
}

bool gate_admits(PyObject *object, const char *name, enum array_use use, const struct kind *kind)
{
    if (PyErr_Occurred()) /* while the type was looked at */
        return false;
    if (kind->refusal) {
        PyErr_Format(PyExc_TypeError, "%s %S", name, kind->refusal);
        return false;
    }
    if (kind->refused && gate_explains(object, name))
        return false;
    if (kind->jax && use == ARRAY_WRITE) {
        PyErr_Format(PyExc_TypeError, "%s is a JAX array, which nobody writes into; leave it out to get a new one",
                     name);
        return false;
    }
    if (kind->torch && wants_gradient(object)) {
        PyErr_Format(PyExc_TypeError,
                     "%s requires grad, but no gradient can flow through this call; use mmarn.torch, or "
                     "torch.no_grad() when none is wanted",
                     name);
        return false;
    }
    return !PyErr_Occurred() && !(kind->torch && must_ask(object) && gate_explains(object, name)) && !PyErr_Occurred();
}
