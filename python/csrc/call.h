/* SPDX-License-Identifier: MIT */
/*
 * call.h - one call of the library: it runs without the interpreter's lock, and a signal's handler may end its waits.
 *
 * Ranks count calls, so a call with an argument that cannot even be read must not be left out: its peers would wait for
 * it, or meet this rank's next one. So a first failure is kept, the call is refused for it instead of being made, which
 * its peers are told at once (group_refused); then the kept exception is raised.
 */
#ifndef MMARN_PYTHON_CALL_H
#define MMARN_PYTHON_CALL_H

#include "arrays.h"
#include "core.h"

struct call {
    PyObject *type, *value, *traceback; /* the first failure, or NULL */
};

/* Keeps the exception that is set, unless there is one already. */
void call_fail(struct call *call);

static inline bool call_has_failed(const struct call *call)
{
    return call->type != NULL;
}

/* Reads an argument; what cannot be read is a failure. None is no tensor where it is allowed, and gives NULL. */
const mmarn_tensor *call_array(struct call *call, PyObject *object, const char *name, enum array_use use,
                               struct array *array);
const mmarn_tensor *call_optional(struct call *call, PyObject *object, const char *name, enum array_use use,
                                  struct array *array);

/* Plain arguments. */
int32_t call_numerics(struct call *call, PyObject *object);
double call_epsilon(struct call *call, PyObject *object);
int64_t call_integer(struct call *call, PyObject *object, const char *name); /* int, or what has __index__ */
bool call_flag(struct call *call, PyObject *object, const char *name);       /* bool, or NumPy's */

/*
 * A str without zeros, valid as long as the object is; where it is optional, None gives NULL. False with an exception.
 * It is no failure of a call's, as no call can do without it.
 */
bool call_text(PyObject *object, const char *name, bool optional, const char **text);

/* Names the group's call that follows, unless name is None. */
void call_name(struct call *call, mmarn_comm *comm, PyObject *name);

/* Around the library's functions: without the interpreter's lock. Nothing of Python may be touched between the two. */
void call_begin(void);
void call_end(void);

/* The outcome: false with an exception, the kept one before the status's. */
bool call_succeeded(struct call *call, mmarn_status status);

/*
 * For mmarn_comm_config.interrupted: ends a wait for a signal's handler that has raised something, and when the
 * interpreter is ending and only this thread's wait keeps it.
 */
int32_t call_interrupted(void *ctx);

/* Sets the function, without arguments, that tells whether the interpreter is ending and waits for the thread. */
PyObject *call_ask_ending(PyObject *module, PyObject *question);

#endif
