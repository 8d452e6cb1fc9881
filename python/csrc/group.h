/* SPDX-License-Identifier: MIT */
/*
 * group.h - one rank's membership of a group, as Python has it. A group knows its operators, which each keep it alive,
 * and is closed with them. All fields are read and written under the interpreter's lock.
 */
#ifndef MMARN_PYTHON_GROUP_H
#define MMARN_PYTHON_GROUP_H

#include "call.h"
#include "core.h"

struct op;

struct group {
    PyObject_HEAD mmarn_comm *comm; /* NULL: closed */
    int32_t rank, world_size;
    PyObject *name;     /* a str, or None */
    int calls;          /* threads that are inside the library with it */
    struct op *ops;     /* the open ones */
    struct group *next; /* of all open groups of this process */
};

extern PyTypeObject *group_type;

/* Makes the type; false with an exception. */
bool group_ready(PyObject *module);

/* object, as a group that is open; NULL with an exception. A str names a group of this process. */
struct group *group_open(PyObject *object);

/* Around the library's calls on the group, instead of call_begin and call_end: meanwhile it cannot be closed. */
void group_begin(struct group *group);
void group_end(struct group *group);

/* Has the call failed already? Then it is refused in the words of that failure, which the peers are told. */
bool group_refused(struct group *group, const struct call *call);

/* The open group of a name, a new reference; NULL with the library's sentence. */
PyObject *group_find(PyObject *module, PyObject *name);

/* The library's logger: keeps what is no failure, for a RuntimeWarning once the group has been joined. */
void group_hear(void *ctx, mmarn_status status, const char *sentence);

/* At the interpreter's end: leaves every group, and aborts those that a thread is still using. */
PyObject *group_leave_all(PyObject *module, PyObject *none);

#endif
