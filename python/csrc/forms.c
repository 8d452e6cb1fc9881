/* SPDX-License-Identifier: MIT */
/* forms.c - see forms.h. */
#include "forms.h"

#include "errors.h"
#include "form.h"
#include "op.h"
#include "parts.h"
#include "weights.h"

/* This rank's rows of an output, or -1 for all of them. */
static int64_t own_rows(const struct group *group, uint32_t flags, const mmarn_tensor *x1)
{
    int64_t first, count = -1;
    if (!(flags & MMARN_SHARD_ROWS))
        return -1;
    if (mmarn_shard(form_rows(x1), group->rank, group->world_size, &first, &count) != MMARN_OK)
        return 0;
    return count;
}

PyObject *forms_step(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct op *op = (struct op *)self;
    struct call call = {0};
    struct form form;
    if (!parts_count(count, FORM_INPUTS + FORM_OUTPUTS))
        return NULL;
    if (!op_is_open(op))
        return op_refuse_closed(op, &call);
    form_read(&call, args, "x1", &form);
    form_open(&call, args, args + FORM_INPUTS, op->n, own_rows(op->group, op->flags, form.step.x1), op->int8_out,
              &form);
    call_name(&call, op->group->comm, op->name);
    mmarn_status status = MMARN_OK;
    if (!group_refused(op->group, &call)) {
        op_enter(op);
        status = mmarn_op_run(op->handle, &form.step);
        op_leave(op);
    }
    return form_finish(&call, status, &form);
}

PyObject *forms_describe(PyObject *self, PyObject *object)
{
    struct op *op = (struct op *)self;
    struct call call = {0};
    mmarn_op_description d = MMARN_OP_DESCRIPTION_INIT;
    if (!op_is_open(op))
        return NULL;
    const int64_t rows = call_integer(&call, object, "rows");
    mmarn_status status = call_has_failed(&call) ? MMARN_OK : mmarn_op_describe(op->handle, rows, &d);
    if (!call_succeeded(&call, status))
        return NULL;
    return Py_BuildValue("{s:s,s:s,s:s,s:s,s:s,s:L,s:L,s:L,s:L,s:L}", "kernel", d.kernel, "multiply", d.multiply,
                         "layout", d.layout, "algorithm", d.algorithm, "why", d.why, "weight_bytes",
                         (long long)d.weight_bytes, "owned_bytes", (long long)d.owned_bytes, "block_rows",
                         (long long)d.block_rows, "tile_columns", (long long)d.tile_columns, "tiles",
                         (long long)d.tiles);
}

/* Only one output: what was wanted of the results. */
static PyObject *take_one(PyObject *results, enum form_output which)
{
    PyObject *one = results ? PyTuple_GetItem(results, which) : NULL;
    Py_XINCREF(one);
    Py_XDECREF(results);
    return one;
}

/* A group, or the open one of a name, which *named then owns. */
static struct group *find(PyObject *object, PyObject **named)
{
    *named = PyUnicode_Check(object) ? group_find(NULL, object) : NULL;
    return PyErr_Occurred() ? NULL : group_open(*named ? *named : object);
}

PyObject *forms_mm_all_reduce(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    struct call call = {0};
    struct form form;
    struct weights weights;
    if (!parts_count(count, 6 + WEIGHTS_ARGUMENTS))
        return NULL;
    PyObject *named;
    struct group *group = find(args[0], &named);
    if (!group) {
        Py_XDECREF(named);
        return NULL;
    }
    PyObject *const inputs[FORM_INPUTS] = {args[1], Py_None, args[2], args[3]};
    PyObject *const outputs[FORM_OUTPUTS] = {Py_None, Py_None, args[4] == Py_None ? Py_True : args[4], Py_None,
                                             Py_None};
    form_read(&call, inputs, "x1", &form);
    weights_read(&call, args + 5, false, &weights);
    const int64_t n = form_columns(&weights.x2.tensor);
    form_open(&call, inputs, outputs, n, own_rows(group, weights.config.flags, form.step.x1),
              weights_int8_out(&weights), &form);
    call_name(&call, group->comm, args[5 + WEIGHTS_ARGUMENTS]);
    mmarn_status status = MMARN_OK;
    if (!group_refused(group, &call)) {
        group_begin(group);
        status = mmarn_mm_all_reduce(group->comm, &weights.config, &form.step);
        group_end(group);
    }
    PyObject *results = form_finish(&call, status, &form);
    weights_release(&weights);
    Py_XDECREF(named);
    return take_one(results, FORM_MM_OUT);
}

/* ------------------------------------------------------------------------------------------- without a matmul */

enum norm_argument {
    NORM_X,
    NORM_RESIDUAL,
    NORM_GAMMA,
    NORM_EPSILON,
    NORM_NUMERICS,
    NORM_PLUS_ONE,
    NORM_FIRST,
    NORM_SHARD,
    NORM_OUTPUTS, /* five of them */
    NORM_ARGUMENTS = NORM_OUTPUTS + FORM_OUTPUTS
};

struct norm {
    mmarn_op_config config;
    struct array gamma;
    struct form form;
};

static void read_norm(struct call *call, const struct group *group, PyObject *const *args, struct norm *norm)
{
    PyObject *const inputs[FORM_INPUTS] = {args[NORM_X], args[NORM_RESIDUAL], Py_None, Py_None};
    *norm = (struct norm){.config = MMARN_OP_CONFIG_INIT};
    form_read(call, inputs, "x", &norm->form);
    norm->config.gamma = call_array(call, args[NORM_GAMMA], "gamma", ARRAY_READ, &norm->gamma);
    norm->config.epsilon = call_epsilon(call, args[NORM_EPSILON]);
    norm->config.numerics = call_numerics(call, args[NORM_NUMERICS]);
    if (call_flag(call, args[NORM_PLUS_ONE], "gamma_plus_one"))
        norm->config.flags |= MMARN_GAMMA_PLUS_ONE;
    if (call_flag(call, args[NORM_FIRST], "norm_first"))
        norm->config.flags |= MMARN_NORM_FIRST;
    if (call_flag(call, args[NORM_SHARD], "shard_rows"))
        norm->config.flags |= MMARN_SHARD_ROWS;
    const mmarn_tensor *x = norm->form.step.x1;
    form_open(call, inputs, args + NORM_OUTPUTS, form_columns(x), group ? own_rows(group, norm->config.flags, x) : -1,
              0, &norm->form);
}

static PyObject *finish_norm(struct call *call, mmarn_status status, struct norm *norm)
{
    parts_name_x(call, status);
    PyObject *results = form_finish(call, status, &norm->form);
    array_release(&norm->gamma);
    return results;
}

PyObject *forms_all_reduce_norm(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct group *group = group_open(self);
    struct call call = {0};
    struct norm norm;
    if (!group || !parts_count(count, NORM_ARGUMENTS + 1))
        return NULL;
    read_norm(&call, group, args, &norm);
    call_name(&call, group->comm, args[NORM_ARGUMENTS]);
    mmarn_status status = MMARN_OK;
    if (!group_refused(group, &call)) {
        group_begin(group);
        status = mmarn_all_reduce_add_rms_norm(group->comm, &norm.config, &norm.form.step);
        group_end(group);
    }
    return finish_norm(&call, status, &norm);
}

PyObject *forms_add_norm(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    struct call call = {0};
    struct norm norm;
    if (!parts_count(count, 1 + NORM_ARGUMENTS))
        return NULL;
    PyObject *named = NULL;
    struct group *group = args[0] == Py_None ? NULL : find(args[0], &named);
    if (!group && args[0] != Py_None) {
        Py_XDECREF(named);
        return NULL;
    }
    read_norm(&call, group, args + 1, &norm);
    mmarn_status status = MMARN_OK;
    if (!call_has_failed(&call)) { /* local, so there is nobody to be told of a failure */
        if (group)
            group_begin(group);
        else
            call_begin();
        status = mmarn_add_rms_norm(group ? group->comm : NULL, &norm.config, &norm.form.step);
        if (group)
            group_end(group);
        else
            call_end();
    }
    PyObject *results = finish_norm(&call, status, &norm);
    Py_XDECREF(named);
    return results;
}

/* ------------------------------------------------------------------------------------------- rows of a rank's own */

/* A collective of one array into another, of `rows` rows where that is new. */
static PyObject *run_rows(struct group *group, struct call *call, PyObject *const *args, int64_t rows, PyObject *name,
                          mmarn_status (*run)(mmarn_comm *, int32_t, const mmarn_tensor *, const mmarn_tensor *),
                          int32_t numerics, struct array *x)
{
    struct output out = {.like = NULL};
    mmarn_tensor shape = {.ndim = x->tensor.ndim == 1 ? 1 : 2, .shape = {rows, form_columns(&x->tensor)}};
    const mmarn_tensor *to = output_open(call, args[1], args[0], "out", x->tensor.dtype, &shape, &out);
    call_name(call, group->comm, name);
    mmarn_status status = MMARN_OK;
    if (!group_refused(group, call)) {
        group_begin(group);
        status = run(group->comm, numerics, &x->tensor, to);
        group_end(group);
    }
    parts_name_x(call, status);
    PyObject *result = call_succeeded(call, status) ? output_take(&out) : NULL;
    array_release(x);
    output_release(&out);
    return result;
}

static int64_t rows_of(const mmarn_tensor *x)
{
    return x->ndim == 1 ? x->shape[0] : form_rows(x);
}

PyObject *forms_reduce_scatter(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct group *group = group_open(self);
    struct call call = {0};
    struct array x;
    int64_t first, rows = 0;
    if (!group || !parts_count(count, 4))
        return NULL;
    call_array(&call, args[0], "x", ARRAY_READ, &x);
    const int32_t numerics = call_numerics(&call, args[2]);
    mmarn_shard(rows_of(&x.tensor), group->rank, group->world_size, &first, &rows);
    return run_rows(group, &call, args, rows, args[3], mmarn_reduce_scatter, numerics, &x);
}

static mmarn_status gather(mmarn_comm *comm, int32_t numerics, const mmarn_tensor *in, const mmarn_tensor *out)
{
    (void)numerics;
    return mmarn_all_gather(comm, in, out);
}

PyObject *forms_all_gather(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct group *group = group_open(self);
    struct call call = {0};
    struct array x;
    if (!group || !parts_count(count, 4))
        return NULL;
    call_array(&call, args[0], "x", ARRAY_READ, &x);
    const int64_t rows =
        args[2] == Py_None ? rows_of(&x.tensor) * group->world_size : call_integer(&call, args[2], "rows");
    return run_rows(group, &call, args, rows, args[3], gather, 0, &x);
}
