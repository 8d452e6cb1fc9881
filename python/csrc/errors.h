/* SPDX-License-Identifier: MIT */
/* errors.h - the library's failures as Python exceptions. */
#ifndef MMARN_PYTHON_ERRORS_H
#define MMARN_PYTHON_ERRORS_H

#include "core.h"

/*
 * Raises the exception of a status with the sentence as its text, and the attributes status ("MMARN_ERR_...") and code.
 * Always returns NULL.
 */
PyObject *errors_raise(mmarn_status status, const char *sentence, int32_t code);

/* The same for what the calling thread's last call of the library said. */
PyObject *errors_raise_last(mmarn_status status);

/*
 * Says that an argument cannot be read because of the exception that is set, which becomes the cause; what is not about
 * the argument (an interrupt, no memory) is left as it is.
 */
void errors_explain(const char *name);

#endif
