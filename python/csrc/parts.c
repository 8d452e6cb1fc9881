/* SPDX-License-Identifier: MIT */
/* parts.c - see parts.h. */
#include "parts.h"

#include <string.h>

#include "errors.h"
#include "group.h"
#include "output.h"

bool parts_count(Py_ssize_t count, Py_ssize_t expected)
{
    if (count != expected)
        PyErr_Format(PyExc_TypeError, "%zd arguments were given but there must be %zd", count, expected);
    return count == expected;
}

/* A new reference, with `from` replaced by `to`; NULL where text is. Takes the reference that it is given. */
static PyObject *renamed(PyObject *text, const char *from, const char *to)
{
    PyObject *from_text = PyUnicode_FromString(from), *to_text = PyUnicode_FromString(to);
    PyObject *result = text && from_text && to_text ? PyUnicode_Replace(text, from_text, to_text, -1) : NULL;
    Py_XDECREF(text);
    Py_XDECREF(from_text);
    Py_XDECREF(to_text);
    return result;
}

void parts_name_x(struct call *call, mmarn_status status)
{
    const char *sentence = mmarn_last_error();
    const bool of_argument =
        status == MMARN_ERR_NULL || status == MMARN_ERR_ARGUMENT || status == MMARN_ERR_UNSUPPORTED;
    if (!of_argument || call_has_failed(call))
        return;
    const bool in = strncmp(sentence, "in ", 3) == 0;
    PyObject *text = renamed(PyUnicode_FromFormat("%s%s", in ? "x" : "", in ? sentence + 2 : sentence), "x1", "x");
    const char *bytes = text ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
    if (bytes)
        errors_raise(status, bytes, mmarn_last_code());
    call_fail(call);
    Py_XDECREF(text);
}

PyObject *parts_all_reduce(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct group *group = group_open(self);
    struct call call = {0};
    struct array x;
    struct output out = {0};
    if (!group || !parts_count(count, 4))
        return NULL;
    const mmarn_tensor *in = call_array(&call, args[0], "x", ARRAY_READ, &x);
    const mmarn_tensor *to = output_open(&call, args[1], args[0], "out", 0, NULL, &out);
    int32_t numerics = call_numerics(&call, args[2]);
    call_name(&call, group->comm, args[3]);
    mmarn_status status = MMARN_OK;
    if (!group_refused(group, &call)) {
        group_begin(group);
        status = mmarn_all_reduce(group->comm, numerics, in, to);
        group_end(group);
    }
    parts_name_x(&call, status);
    PyObject *result = call_succeeded(&call, status) ? output_take(&out) : NULL;
    array_release(&x);
    output_release(&out);
    return result;
}

PyObject *parts_all_reduce_norm(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct group *group = group_open(self);
    struct call call = {0};
    struct array arrays[3];
    struct output outputs[2] = {{.like = NULL}, {.like = NULL}};
    if (!group || !parts_count(count, 8))
        return NULL;
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    mmarn_step step = MMARN_STEP_INIT;
    step.x1 = call_array(&call, args[0], "x", ARRAY_READ, &arrays[0]);
    step.residual = call_array(&call, args[1], "residual", ARRAY_READ, &arrays[1]);
    config.gamma = call_array(&call, args[2], "gamma", ARRAY_READ, &arrays[2]);
    config.epsilon = call_epsilon(&call, args[3]);
    config.numerics = call_numerics(&call, args[4]);
    step.y = output_open(&call, args[5], args[1], "y", 0, NULL, &outputs[0]);
    step.norm_out = output_open(&call, args[6], args[1], "norm_out", output_norm_dtype(step.residual, step.x1, 0),
                                step.residual, &outputs[1]);
    call_name(&call, group->comm, args[7]);
    mmarn_status status = MMARN_OK;
    if (!group_refused(group, &call)) {
        group_begin(group);
        status = mmarn_all_reduce_add_rms_norm(group->comm, &config, &step);
        group_end(group);
    }
    parts_name_x(&call, status);
    PyObject *result = call_succeeded(&call, status) ? output_take_both(&outputs[0], &outputs[1]) : NULL;
    for (int i = 0; i < 3; i++)
        array_release(&arrays[i]);
    output_release(&outputs[0]);
    output_release(&outputs[1]);
    return result;
}

/* -------------------------------------------------------------------------------------- quantisation words */

static int64_t elements(const mmarn_tensor *tensor)
{
    int64_t count = 1;
    for (int i = 0; i < tensor->ndim; i++)
        count *= tensor->shape[i];
    return count;
}

/* The library takes pointers and counts here, so form and dtype are checked on this side. */
static bool check_vector(struct call *call, const char *name, const mmarn_tensor *tensor)
{
    if (call_has_failed(call))
        return false;
    int64_t expected = 1;
    bool contiguous = true;
    for (int i = tensor->ndim - 1; i >= 0; i--) {
        contiguous = contiguous && (tensor->shape[i] == 1 || tensor->strides[i] == expected);
        expected *= tensor->shape[i];
    }
    if (tensor->dtype != MMARN_F32)
        PyErr_Format(PyExc_TypeError, "%s must be float32", name);
    else if (!contiguous)
        PyErr_Format(PyExc_TypeError, "%s is not contiguous", name);
    else
        return true;
    call_fail(call);
    return false;
}

PyObject *parts_trans_quant_param(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    struct call call = {0};
    struct array arrays[2] = {{.owner = NULL}, {.owner = NULL}};
    struct output words = {0};
    mmarn_status status = MMARN_OK;
    if (!parts_count(count, 3))
        return NULL;
    const mmarn_tensor *scale = call_array(&call, args[0], "scale", ARRAY_READ, &arrays[0]);
    const mmarn_tensor *offset = call_optional(&call, args[1], "offset", ARRAY_READ, &arrays[1]);
    int64_t round_mode = call_integer(&call, args[2], "round_mode");
    if (check_vector(&call, "scale", scale) && (!offset || check_vector(&call, "offset", offset))) {
        const mmarn_tensor *larger = offset && elements(offset) > elements(scale) ? offset : scale;
        const mmarn_tensor *to = output_open(&call, Py_None, args[0], "words", MMARN_I64, larger, &words);
        if (!call_has_failed(&call))
            status = mmarn_trans_quant_param(scale->data, elements(scale), offset ? offset->data : NULL,
                                             offset ? elements(offset) : 0,
                                             round_mode == 1 ? 1
                                             : round_mode    ? -1
                                                             : 0,
                                             to->data);
    }
    PyObject *result = call_succeeded(&call, status) ? output_take(&words) : NULL;
    array_release(&arrays[0]);
    array_release(&arrays[1]);
    output_release(&words);
    return result;
}
