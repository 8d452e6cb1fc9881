/* kinds.c - recognises array types, and remembers those seen lately with a reference that keeps them alive. */
#include "kinds.h"

#include <string.h>

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

static bool is_of_jax(PyTypeObject *type)
{
    PyObject *module = PyObject_GetAttrString((PyObject *)type, "__module__");
    const char *text = module && PyUnicode_Check(module) ? PyUnicode_AsUTF8AndSize(module, NULL) : NULL;
    bool jax = text && (strncmp(text, "jaxlib.", 7) == 0 || strncmp(text, "jax.", 4) == 0);
    PyErr_Clear();
    Py_XDECREF(module);
    return jax;
}

static bool is_of_numpy(PyTypeObject *type)
{
    PyObject *name = PyUnicode_FromString("numpy");
    PyObject *numpy = name ? PyImport_GetModule(name) : NULL;
    PyObject *base = numpy ? PyObject_GetAttrString(numpy, "ndarray") : NULL;
    bool is = base && PyObject_IsSubclass((PyObject *)type, base) == 1;
    PyErr_Clear();
    Py_XDECREF(base);
    Py_XDECREF(numpy);
    Py_XDECREF(name);
    return is;
}

static struct kind *remember(PyTypeObject *type)
{
    struct kind found = {.type = type};
    found.exchange = exchange_of(type);
    found.exports = found.exchange || PyObject_HasAttr((PyObject *)type, names[NAME_DLPACK]);
    found.torch = PyObject_HasAttr((PyObject *)type, names[NAME_REQUIRES_GRAD]);
    found.numpy = is_of_numpy(type);
    found.jax = is_of_jax(type);
    struct kind *place = &kinds[next++ % KINDS];
    Py_INCREF((PyObject *)type);
    const struct kind forgotten = *place;
    *place = found;
    Py_XDECREF((PyObject *)forgotten.type);
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
