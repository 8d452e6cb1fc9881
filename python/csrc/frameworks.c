/* SPDX-License-Identifier: MIT */
/* frameworks.c - see frameworks.h. */
#include "frameworks.h"

PyObject *frameworks_call(enum framework_function function, PyObject *first, PyObject *second, PyObject *third)
{
    static const char *const texts[] = {
        [FRAMEWORKS_KIND] = "kind",
        [FRAMEWORKS_REASON] = "reason",
        [FRAMEWORKS_MAKER] = "maker",
        [FRAMEWORKS_EMPTY] = "empty",
        [FRAMEWORKS_FINISH_JAX] = "finish_jax",
        [FRAMEWORKS_NUMPY_UINT16] = "numpy_uint16",
        [FRAMEWORKS_TORCH_GRAD] = "torch_grad",
        [FRAMEWORKS_TORCH_BYTES] = "torch_bytes",
        [FRAMEWORKS_TORCH_LEVELS] = "torch_levels",
        [FRAMEWORKS_TORCH_WRITTEN] = "torch_written",
    };
    static PyObject *module; /* imported when it is first needed: the package is imported after this module */
    if (!module)
        module = PyImport_ImportModule("mmarn._frameworks");
    PyObject *callee = module ? PyObject_GetAttrString(module, texts[function]) : NULL;
    PyObject *result = callee ? PyObject_CallFunctionObjArgs(callee, first, second, third, NULL) : NULL;
    Py_XDECREF(callee);
    return result;
}
