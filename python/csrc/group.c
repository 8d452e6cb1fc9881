/* SPDX-License-Identifier: MIT */
/* group.c - joining, finding, aborting and leaving groups. */
#include "group.h"

#include <stdio.h>
#include <string.h>

#include "call.h"
#include "errors.h"
#include "forms.h"
#include "op.h"
#include "parts.h"

PyTypeObject *group_type;
static struct group *groups;

/* -------------------------------------------------------------------------------------------------- joining */

/* id is None or 64 bytes. */
static bool read_id(PyObject *object, mmarn_id *id)
{
    char *bytes;
    Py_ssize_t size;
    if (!PyBytes_Check(object)) {
        PyErr_Format(PyExc_TypeError, "id is %R; it must be None or the bytes of mmarn.create_id()", Py_TYPE(object));
        return false;
    }
    PyBytes_AsStringAndSize(object, &bytes, &size);
    if (size != (Py_ssize_t)sizeof *id) {
        PyErr_Format(PyExc_ValueError, "id has %zd bytes; it must have %zu", size, sizeof *id);
        return false;
    }
    for (size_t i = 0; i < sizeof *id; i++)
        id->bytes[i] = (uint8_t)bytes[i];
    return true;
}

/* What joining found odd, until this thread has the interpreter's lock to warn of it. */
enum { NOTES = 3, NOTE_SIZE = 512 };
static _Thread_local char notes[NOTES][NOTE_SIZE];
static _Thread_local int note_count;

void group_hear(void *ctx, mmarn_status status, const char *sentence)
{
    (void)ctx;
    if (status == MMARN_OK && note_count < NOTES)
        snprintf(notes[note_count++], NOTE_SIZE, "%s", sentence);
}

/* False with an exception, where warnings are errors. The caller of Group is two frames up. */
static bool warn(void)
{
    for (int i = 0; i < note_count; i++)
        if (PyErr_WarnEx(PyExc_RuntimeWarning, notes[i], 2) < 0)
            return false;
    return true;
}

static bool join(const mmarn_id *id, mmarn_comm_config *config, mmarn_comm **comm)
{
    struct call call = {0};
    config->interrupted = call_interrupted;
    note_count = 0;
    call_begin();
    mmarn_status status = mmarn_comm_create(id, config, comm);
    call_end();
    bool joined = call_succeeded(&call, status) && warn();
    if (!joined && status == MMARN_OK)
        mmarn_comm_destroy(*comm);
    return joined;
}

static bool read_count(PyObject *object, const char *name, int32_t *count)
{
    struct call call = {0};
    const int64_t value = call_integer(&call, object, name);
    if (call_has_failed(&call))
        return call_succeeded(&call, MMARN_OK);
    *count = (int32_t)value;
    if (*count != value)
        PyErr_Format(PyExc_ValueError, "%s is %R; it must be an integer of 32 bits", name, object);
    return *count == value;
}

/* (id, rank, world_size, name, transport, threads, timeout_ms, queue) */
static PyObject *group_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    (void)keywords;
    PyObject *given, *rank, *world_size, *name, *transport, *threads;
    mmarn_id id;
    mmarn_comm *comm = NULL;
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    int queue;
    if (!PyArg_ParseTuple(args, "OOOOOOip", &given, &rank, &world_size, &name, &transport, &threads, &config.timeout_ms,
                          &queue) ||
        (given != Py_None && !read_id(given, &id)) || !read_count(rank, "rank", &config.rank) ||
        !read_count(world_size, "world_size", &config.world_size) || !call_text(name, "name", true, &config.name) ||
        !call_text(transport, "transport", true, &config.transport) || !read_count(threads, "threads", &config.threads))
        return NULL;
    struct group *group = (struct group *)PyType_GenericAlloc(type, 0);
    if (!group)
        return NULL;
    config.flags = queue ? MMARN_QUEUE_CALLS : 0;
    group->name = name;
    Py_INCREF(group->name);
    group->rank = config.rank;
    group->world_size = config.world_size;
    if (!join(given == Py_None ? NULL : &id, &config, &comm)) {
        Py_DECREF((PyObject *)group);
        return NULL;
    }
    group->comm = comm;
    group->next = groups;
    groups = group;
    return (PyObject *)group;
}

/* -------------------------------------------------------------------------------------------------- leaving */

static void leave(struct group *group)
{
    while (group->ops)
        op_destroy(group->ops);
    for (struct group **link = &groups; *link; link = &(*link)->next)
        if (*link == group) {
            *link = group->next;
            break;
        }
    mmarn_comm_destroy(group->comm);
    group->comm = NULL;
}

static PyObject *group_close(PyObject *self, PyObject *none)
{
    (void)none;
    struct group *group = (struct group *)self;
    if (group->calls)
        return errors_raise(MMARN_ERR_BUSY, "another thread is inside a call on this group, so it cannot be closed", 0);
    if (group->comm)
        leave(group);
    Py_RETURN_NONE;
}

static PyObject *group_abort(PyObject *self, PyObject *none)
{
    (void)none;
    mmarn_comm_abort(((struct group *)self)->comm);
    Py_RETURN_NONE;
}

void group_begin(struct group *group)
{
    group->calls++;
    call_begin();
}

void group_end(struct group *group)
{
    call_end();
    group->calls--;
}

static mmarn_status refuse(struct group *group, const char *sentence)
{
    group_begin(group);
    mmarn_status status = mmarn_comm_refuse(group->comm, sentence);
    group_end(group);
    return status;
}

bool group_refused(struct group *group, const struct call *call)
{
    if (!call_has_failed(call))
        return false;
    PyObject *sentence = call->value ? PyObject_Str(call->value) : NULL;
    const char *text = sentence ? PyUnicode_AsUTF8AndSize(sentence, NULL) : NULL;
    PyErr_Clear(); /* a sentence that cannot be told is no reason to leave the call out */
    refuse(group, text ? text : "for a reason that has no words");
    Py_XDECREF(sentence);
    return true;
}

/* (sentence) */
static PyObject *group_refuse(PyObject *self, PyObject *sentence)
{
    struct group *group = group_open(self);
    struct call call = {0};
    const char *text = NULL;
    if (!group || !call_text(sentence, "sentence", false, &text) || !call_succeeded(&call, refuse(group, text)))
        return NULL;
    Py_RETURN_NONE;
}

static void group_dealloc(PyObject *self)
{
    struct group *group = (struct group *)self;
    if (group->comm)
        leave(group);
    Py_XDECREF(group->name);
    object_free(self);
}

PyObject *group_leave_all(PyObject *module, PyObject *none)
{
    (void)module, (void)none;
    for (struct group *group = groups, *next; group; group = next) {
        next = group->next;
        if (group->calls)
            mmarn_comm_abort(group->comm);
        else
            leave(group);
    }
    Py_RETURN_NONE;
}

/* -------------------------------------------------------------------------------------------------- finding */

PyObject *group_find(PyObject *module, PyObject *name)
{
    (void)module;
    mmarn_comm *comm;
    const char *text;
    if (!call_text(name, "name", false, &text))
        return NULL;
    mmarn_status status = mmarn_comm_find(text, &comm);
    if (status != MMARN_OK)
        return errors_raise_last(status);
    for (struct group *group = groups; group; group = group->next)
        if (group->comm == comm) {
            Py_INCREF((PyObject *)group);
            return (PyObject *)group;
        }
    PyErr_Format(PyExc_ValueError, "name is %R but another thread is still joining that group", name);
    return NULL;
}

struct group *group_open(PyObject *object)
{
    struct group *group = (struct group *)object;
    if (!PyObject_TypeCheck(object, group_type)) {
        PyErr_Format(PyExc_TypeError, "group is %R; it must be a mmarn.Group or the name of one", Py_TYPE(object));
        return NULL;
    }
    if (group->comm)
        return group;
    PyErr_SetString(PyExc_ValueError, "this group is closed");
    return NULL;
}

/* ----------------------------------------------------------------------------------------------------- type */

static PyObject *get_rank(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLong(((struct group *)self)->rank);
}

static PyObject *get_world_size(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLong(((struct group *)self)->world_size);
}

static PyObject *get_name(PyObject *self, void *closure)
{
    (void)closure;
    PyObject *name = ((struct group *)self)->name;
    Py_INCREF(name);
    return name;
}

static PyObject *get_closed(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(((struct group *)self)->comm == NULL);
}

static PyGetSetDef attributes[] = {
    {"rank", get_rank, NULL, "This member's rank, 0 .. world_size - 1.", NULL},
    {"world_size", get_world_size, NULL, "The number of ranks.", NULL},
    {"name", get_name, NULL, "The name that find_group knows it by, or None.", NULL},
    {"closed", get_closed, NULL, "Has it been left?", NULL},
    {0},
};

static const char close_doc[] =
    "close()\n--\n\nLeaves the group, after closing its Ops; not collective, and nothing when it is closed already. "
    "Peers "
    "that still\nneed this rank get ConnectionError. RuntimeError while another thread is inside a call on it.";
static const char abort_doc[] =
    "abort()\n--\n\nFrom any thread of any rank: the pending and every later call on the group fails with\n"
    "ConnectionAbortedError, on all ranks. Nothing when it is closed.";

static const char refuse_doc[] =
    "refuse(sentence)\n--\n\nInstead of this rank's next collective call, which its caller cannot make: it fails on "
    "the\n"
    "other ranks with ValueError and this sentence, and the group goes on. Collective, as that call is.";

static PyMethodDef methods[] = {
    {"close", group_close, METH_NOARGS, close_doc},
    {"abort", group_abort, METH_NOARGS, abort_doc},
    {"refuse", group_refuse, METH_O, refuse_doc},
    {"run_all_reduce", FASTCALL(parts_all_reduce), METH_FASTCALL, NULL},
    {"run_step", FASTCALL(forms_all_reduce_norm), METH_FASTCALL, NULL},
    {"run_reduce_scatter", FASTCALL(forms_reduce_scatter), METH_FASTCALL, NULL},
    {"run_all_gather", FASTCALL(forms_all_gather), METH_FASTCALL, NULL},
    {"run_all_reduce_add_rms_norm", FASTCALL(parts_all_reduce_norm), METH_FASTCALL, NULL},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_new, AS_DATA(group_new)},
    {Py_tp_dealloc, AS_DATA(group_dealloc)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0},
};

static PyType_Spec spec = {
    .name = "mmarn._core.Group",
    .basicsize = sizeof(struct group),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};

bool group_ready(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&spec);
    group_type = (PyTypeObject *)type;
    return type && PyModule_AddObjectRef(module, "Group", type) == 0;
}
