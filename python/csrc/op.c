/* SPDX-License-Identifier: MIT */
/* op.c - see op.h. */
#include "op.h"

#include "errors.h"
#include "forms.h"
#include "output.h"
#include "parts.h"
#include "weights.h"

/* --------------------------------------------------------------------------------------------- one step's arrays */

struct step {
    struct array arrays[3];
    struct output outputs[2];
    mmarn_step tensors;
};

/* args: x1, residual, x1_scale, y, norm_out. Reads the first three. */
static void step_read(struct call *call, PyObject *const *args, struct step *step)
{
    *step = (struct step){.tensors = MMARN_STEP_INIT};
    step->tensors.x1 = call_array(call, args[0], "x1", ARRAY_READ, &step->arrays[0]);
    step->tensors.residual = call_array(call, args[1], "residual", ARRAY_READ, &step->arrays[1]);
    step->tensors.x1_scale = call_optional(call, args[2], "x1_scale", ARRAY_READ, &step->arrays[2]);
}

/* The last two. */
static void step_open(struct call *call, PyObject *const *args, mmarn_dtype int8_out, struct step *step)
{
    mmarn_step *tensors = &step->tensors;
    const mmarn_dtype norm_dtype = output_norm_dtype(tensors->residual, tensors->x1, int8_out);
    tensors->y = output_open(call, args[3], args[1], "y", 0, NULL, &step->outputs[0]);
    tensors->norm_out =
        output_open(call, args[4], args[1], "norm_out", norm_dtype, tensors->residual, &step->outputs[1]);
}

/* The results of a call, or NULL with its exception; releases the step either way. */
static PyObject *step_finish(struct call *call, mmarn_status status, struct step *step)
{
    PyObject *results = call_succeeded(call, status) ? output_take_both(&step->outputs[0], &step->outputs[1]) : NULL;
    for (Py_ssize_t i = 0; i < LENGTH(step->arrays); i++)
        array_release(&step->arrays[i]);
    output_release(&step->outputs[0]);
    output_release(&step->outputs[1]);
    return results;
}

/* --------------------------------------------------------------------------------------------------- operators */

static mmarn_status create(struct group *group, const mmarn_op_config *config, mmarn_op **handle)
{
    group_begin(group);
    mmarn_status status = mmarn_op_create(group->comm, config, handle);
    group_end(group);
    return status;
}

static void own(struct op *op, struct group *group, mmarn_op *handle, struct weights *weights)
{
    op->handle = handle;
    op->n = weights->x2.tensor.shape[1];
    op->int8_out = weights_int8_out(weights);
    op->flags = weights->config.flags;
    op->next = group->ops;
    group->ops = op;
    if (weights->config.flags & MMARN_BORROW_X2) {
        op->x2 = weights->x2;
        weights->x2.owner = NULL;
    }
}

/* (group, *weights, name) */
static PyObject *op_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    (void)keywords;
    struct call call = {0};
    PyObject *given[WEIGHTS_ARGUMENTS];
    struct group *group =
        parts_count(PyTuple_Size(args), 2 + WEIGHTS_ARGUMENTS) ? group_open(PyTuple_GetItem(args, 0)) : NULL;
    struct op *op = group ? (struct op *)PyType_GenericAlloc(type, 0) : NULL;
    if (!op)
        return NULL;
    op->group = group;
    op->name = PyTuple_GetItem(args, 1 + WEIGHTS_ARGUMENTS);
    Py_INCREF(op->name);
    Py_INCREF((PyObject *)group);
    for (int i = 0; i < WEIGHTS_ARGUMENTS; i++)
        given[i] = PyTuple_GetItem(args, 1 + i);
    struct weights weights;
    weights_read(&call, given, true, &weights);
    mmarn_op *handle = NULL;
    /* Local, so there is nobody to be told of a failure. */
    mmarn_status status = call_has_failed(&call) ? MMARN_OK : create(group, &weights.config, &handle);
    if (handle)
        own(op, group, handle, &weights);
    if (!call_succeeded(&call, status))
        Py_XDECREF((PyObject *)op), op = NULL;
    weights_release(&weights);
    return (PyObject *)op;
}

void op_destroy(struct op *op)
{
    for (struct op **link = &op->group->ops; *link; link = &(*link)->next)
        if (*link == op) {
            *link = op->next;
            break;
        }
    mmarn_op_destroy(op->handle);
    op->handle = NULL;
    array_release(&op->x2);
}

static PyObject *op_close(PyObject *self, PyObject *none)
{
    (void)none;
    struct op *op = (struct op *)self;
    if (op->calls)
        return errors_raise(MMARN_ERR_BUSY, "another thread is inside a call of this Op, so it cannot be closed", 0);
    if (op->handle)
        op_destroy(op);
    Py_RETURN_NONE;
}

static void op_dealloc(PyObject *self)
{
    struct op *op = (struct op *)self;
    if (op->handle)
        op_destroy(op);
    Py_XDECREF((PyObject *)op->group);
    Py_XDECREF(op->name);
    object_free(self);
}

void op_enter(struct op *op)
{
    op->calls++;
    group_begin(op->group);
}

void op_leave(struct op *op)
{
    group_end(op->group);
    op->calls--;
}

bool op_is_open(const struct op *op)
{
    if (!op->handle)
        PyErr_SetString(PyExc_ValueError, op->group->comm ? "this Op is closed" : "this Op's group is closed");
    return op->handle != NULL;
}

PyObject *op_refuse_closed(struct op *op, struct call *call)
{
    if (!op->group->comm)
        return NULL;
    call_fail(call);
    group_refused(op->group, call);
    call_succeeded(call, MMARN_OK);
    return NULL;
}

/* (x1, residual, x1_scale, y, norm_out) -> (y, norm_out) */
static PyObject *op_run(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct op *op = (struct op *)self;
    struct call call = {0};
    struct step step;
    if (!parts_count(count, 5))
        return NULL;
    if (!op_is_open(op))
        return op_refuse_closed(op, &call);
    step_read(&call, args, &step);
    step_open(&call, args, op->int8_out, &step);
    call_name(&call, op->group->comm, op->name);
    mmarn_status status = MMARN_OK;
    if (!group_refused(op->group, &call)) {
        op_enter(op);
        status = mmarn_op_run(op->handle, &step.tensors);
        op_leave(op);
    }
    return step_finish(&call, status, &step);
}

/* (x1, x1_scale, out) -> out */
static PyObject *op_matmul(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct op *op = (struct op *)self;
    struct call call = {0};
    struct array array, scale = {.owner = NULL};
    struct output out = {0};
    if (!parts_count(count, 3) || !op_is_open(op))
        return NULL;
    mmarn_step step = MMARN_STEP_INIT;
    step.x1 = call_array(&call, args[0], "x1", ARRAY_READ, &array);
    step.x1_scale = call_optional(&call, args[1], "x1_scale", ARRAY_READ, &scale);
    mmarn_tensor shape = *step.x1;
    if (shape.ndim > 0)
        shape.shape[shape.ndim - 1] = op->n;
    step.mm_out = output_open(&call, args[2], args[0], "out", MMARN_F32, &shape, &out);
    mmarn_status status = MMARN_OK;
    if (!call_has_failed(&call)) { /* local, so there is nobody to be told of a failure */
        op_enter(op);
        status = mmarn_op_matmul(op->handle, &step);
        op_leave(op);
    }
    PyObject *result = call_succeeded(&call, status) ? output_take(&out) : NULL;
    array_release(&array);
    array_release(&scale);
    output_release(&out);
    return result;
}

/* ------------------------------------------------------------------------------------------------- in one call */

static mmarn_status once(struct group *group, const mmarn_op_config *config, const struct step *step)
{
    group_begin(group);
    mmarn_status status = mmarn_mm_all_reduce_add_rms_norm(group->comm, config, &step->tensors);
    group_end(group);
    return status;
}

PyObject *op_once(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    struct call call = {0};
    struct step step;
    struct weights weights;
    if (!parts_count(count, 7 + WEIGHTS_ARGUMENTS))
        return NULL;
    PyObject *named = PyUnicode_Check(args[0]) ? group_find(NULL, args[0]) : NULL;
    if (PyErr_Occurred())
        return NULL;
    struct group *group = group_open(named ? named : args[0]);
    if (!group) {
        Py_XDECREF(named);
        return NULL;
    }
    step_read(&call, args + 1, &step);
    weights_read(&call, args + 6, false, &weights);
    step_open(&call, args + 1, weights_int8_out(&weights), &step);
    call_name(&call, group->comm, args[6 + WEIGHTS_ARGUMENTS]);
    mmarn_status status = MMARN_OK;
    if (!group_refused(group, &call))
        status = once(group, &weights.config, &step);
    PyObject *results = step_finish(&call, status, &step);
    weights_release(&weights);
    Py_XDECREF(named);
    return results;
}

/* -------------------------------------------------------------------------------------------------------- type */

static PyObject *get_group(PyObject *self, void *closure)
{
    (void)closure;
    PyObject *group = (PyObject *)((struct op *)self)->group;
    Py_INCREF((PyObject *)group);
    return group;
}

static PyObject *get_closed(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(((struct op *)self)->handle == NULL);
}

static PyGetSetDef attributes[] = {
    {"group", get_group, NULL, "The Group that it belongs to.", NULL},
    {"closed", get_closed, NULL, "Has it been closed, by itself or with its group?", NULL},
    {0},
};

static const char close_doc[] = "close()\n--\n\nFrees the weights, and lets go of a borrowed x2; nothing when it is "
                                "closed already. RuntimeError while "
                                "another\nthread is inside a call of it.";

static PyMethodDef methods[] = {
    {"run", FASTCALL(op_run), METH_FASTCALL, NULL}, {"run_step", FASTCALL(forms_step), METH_FASTCALL, NULL},
    {"run_describe", forms_describe, METH_O, NULL}, {"run_matmul", FASTCALL(op_matmul), METH_FASTCALL, NULL},
    {"close", op_close, METH_NOARGS, close_doc},    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_new, AS_DATA(op_new)},
    {Py_tp_dealloc, AS_DATA(op_dealloc)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0},
};

static PyType_Spec spec = {
    .name = "mmarn._core.Op",
    .basicsize = sizeof(struct op),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};

bool op_ready(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&spec);
    return type && PyModule_AddObjectRef(module, "Op", type) == 0;
}
