/* SPDX-License-Identifier: MIT */
/* kinds.c - recognises array types, and remembers those seen lately with a reference that keeps them alive. */
#include "kinds.h"

#include "frameworks.h"

enum { KINDS = 16 };
static struct kind kinds[KINDS];
static unsigned next;

/* The newest table of a chain whose layout this file knows. */
static const DLPackExchangeAPI *known_exchange(const DLPackExchangeAPIHeader *header)
{
    while (header && header->version.major != DLPACK_MAJOR)
        header = header->prev_api;
    return (const DLPackExchangeAPI *)header;
}

static const DLPackExchangeAPI *exchange_of(PyTypeObject *type)
{
    PyObject *capsule = PyObject_GetAttrString((PyObject *)type, "__dlpack_c_exchange_api__");
    const void *header = capsule ? PyCapsule_GetPointer(capsule, "dlpack_exchange_api") : NULL;
    PyErr_Clear(); /* a type without one, or with something else under that name */
    Py_XDECREF(capsule);
    const DLPackExchangeAPI *exchange = known_exchange(header);
    return exchange && exchange->dltensor_from_py_object_no_sync ? exchange : NULL;
}

/* What mmarn/_gate.py says of the type; false with an exception. */
static bool judge(struct kind *found)
{
    PyObject *said = frameworks_call(FRAMEWORKS_KIND, (PyObject *)found->type, NULL, NULL);
    PyObject *framework = said ? PyTuple_GetItem(said, 0) : NULL;
    PyObject *refusal = framework ? PyTuple_GetItem(said, 1) : NULL;
    if (refusal && refusal != Py_None) {
        Py_INCREF(refusal);
        found->refusal = refusal;
    } else if (refusal) {
        found->refused = PyUnicode_CompareWithASCIIString(framework, "refused") == 0;
        found->torch = PyUnicode_CompareWithASCIIString(framework, "torch") == 0;
        found->numpy = PyUnicode_CompareWithASCIIString(framework, "numpy") == 0;
        found->jax = PyUnicode_CompareWithASCIIString(framework, "jax") == 0;
    }
    Py_XDECREF(said);
    return refusal != NULL;
}

static struct kind *remember(PyTypeObject *type)
{
    static struct kind unknown;
    struct kind found = {.type = type};
    if (!judge(&found))
        return &unknown;
    Py_INCREF((PyObject *)type);
    found.exchange = found.refusal ? NULL : exchange_of(type);
    struct kind *place = &kinds[next++ % KINDS];
    const struct kind forgotten = *place;
    *place = found;
    Py_XDECREF((PyObject *)forgotten.type);
    Py_XDECREF(forgotten.refusal);
    Py_XDECREF(forgotten.maker);
    return place;
}

struct kind *kind_of(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    for (int i = 0; i < KINDS; i++)
        if (kinds[i].type == type)
            return &kinds[i];
    return remember(type);
}
