/* SPDX-License-Identifier: MIT */
/*
 * frameworks.h - functions of Python that the extension needs from mmarn/_frameworks.py, because only a framework's own
 * can do the work.
 */
#ifndef MMARN_PYTHON_FRAMEWORKS_H
#define MMARN_PYTHON_FRAMEWORKS_H

#include "core.h"

enum framework_function {
    FRAMEWORKS_KIND,         /* (type) -> (framework, why none of this type is read or None): mmarn/_gate.py */
    FRAMEWORKS_REASON,       /* (tensor of torch) -> why it is not read, or None: mmarn/_gate.py */
    FRAMEWORKS_MAKER,        /* (type) -> a function that makes an uninitialised array like its argument */
    FRAMEWORKS_EMPTY,        /* (like, shape, dtype) -> an uninitialised array */
    FRAMEWORKS_FINISH_JAX,   /* (like, written) -> a JAX array */
    FRAMEWORKS_NUMPY_UINT16, /* () -> NumPy's dtype */
    FRAMEWORKS_TORCH_GRAD,   /* () -> torch.is_grad_enabled */
    FRAMEWORKS_TORCH_BYTES,  /* () -> (torch.int8, torch.uint8) */
    FRAMEWORKS_TORCH_LEVELS, /* () -> the module whose _current_level counts forward-mode levels, from 0 */
    FRAMEWORKS_TORCH_WRITTEN /* () -> a function that counts a write to its argument */
};

/* Calls one with up to three arguments, of which the absent ones are NULL and last. */
PyObject *frameworks_call(enum framework_function function, PyObject *first, PyObject *second, PyObject *third);

#endif
