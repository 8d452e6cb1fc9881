/* SPDX-License-Identifier: MIT */
/*
 * module.c - the extension mmarn._core: the C library as Python's own objects. It is the private half of the package;
 * arguments are positional here, and python/mmarn gives them names, defaults and documentation.
 */
#include "call.h"
#include "core.h"
#include "errors.h"
#include "forms.h"
#include "group.h"
#include "op.h"
#include "parts.h"

PyMODINIT_FUNC PyInit__core(void);

void object_free(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    freefunc release = __extension__(freefunc) PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF((PyObject *)type);
}

PyObject *names[NAMES];

static bool intern_names(void)
{
    static const char *const texts[NAMES] = {
        [NAME_DLPACK] = "__dlpack__",
        [NAME_DTYPE] = "dtype",
        [NAME_NUM] = "num",
        [NAME_REQUIRES_GRAD] = "requires_grad",
        [NAME_DETACH] = "detach",
        [NAME_VIEW] = "view",
        [NAME_BLOCK_UNTIL_READY] = "block_until_ready",
        [NAME_NAME] = "name",
        [NAME_IS_NEG] = "is_neg",
        [NAME_CURRENT_LEVEL] = "_current_level",
    };
    for (int i = 0; i < NAMES; i++)
        if (!(names[i] = PyUnicode_InternFromString(texts[i])))
            return false;
    return true;
}

static PyObject *create_id(PyObject *module, PyObject *none)
{
    (void)module, (void)none;
    mmarn_id id;
    mmarn_status status = mmarn_id_create(&id);
    if (status != MMARN_OK)
        return errors_raise_last(status);
    return PyBytes_FromStringAndSize((const char *)id.bytes, sizeof id.bytes);
}

static PyObject *id_from_env(PyObject *module, PyObject *none)
{
    (void)module, (void)none;
    mmarn_id id;
    int32_t rank, world_size;
    mmarn_status status = mmarn_id_from_env(&id, &rank, &world_size);
    if (status != MMARN_OK)
        return errors_raise_last(status);
    return Py_BuildValue("y#ii", (const char *)id.bytes, (Py_ssize_t)sizeof id.bytes, rank, world_size);
}

static PyObject *describe(PyObject *module, PyObject *none)
{
    (void)module, (void)none;
    char text[2048];
    mmarn_describe(text, sizeof text);
    return PyUnicode_FromString(text);
}

static const char id_doc[] =
    "create_id()\n--\n\nNames one group-to-be: 64 random bytes. Make one, carry it to every rank by "
    "any channel, use it once.";
static const char describe_doc[] =
    "describe()\n--\n\nWhat this processor and the library chose, one \"key: value\" line "
    "each.";

static PyMethodDef functions[] = {
    {"create_id", create_id, METH_NOARGS, id_doc},
    {"id_from_env", id_from_env, METH_NOARGS, NULL},
    {"describe", describe, METH_NOARGS, describe_doc},
    {"find_group", group_find, METH_O, NULL},
    {"leave_all", group_leave_all, METH_NOARGS, NULL},
    {"ask_ending", call_ask_ending, METH_O, NULL},
    {"mm_all_reduce_add_rms_norm", FASTCALL(op_once), METH_FASTCALL, NULL},
    {"mm_all_reduce", FASTCALL(forms_mm_all_reduce), METH_FASTCALL, NULL},
    {"add_rms_norm", FASTCALL(forms_add_norm), METH_FASTCALL, NULL},
    {"trans_quant_param", FASTCALL(parts_trans_quant_param), METH_FASTCALL, NULL},
    {0},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "mmarn._core",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC PyInit__core(void)
{
    PyObject *module = PyModule_Create(&definition);
    mmarn_set_logger(group_hear, NULL);
    if (module && intern_names() && group_ready(module) && op_ready(module) &&
        PyModule_AddStringConstant(module, "__version__", mmarn_version()) == 0)
        return module;
    Py_XDECREF(module);
    return NULL;
}
