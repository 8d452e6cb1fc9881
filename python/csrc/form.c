/* SPDX-License-Identifier: MIT */
/* form.c - see form.h. */
#include "form.h"

static const char *const output_names[FORM_OUTPUTS] = {"y", "norm_out", "mm_out", "rstd", "norm_scale"};

int64_t form_rows(const mmarn_tensor *x1)
{
    int64_t rows = x1->ndim > 1 ? 1 : 0;
    for (int i = 0; i < x1->ndim - 1; i++)
        rows *= x1->shape[i];
    return rows;
}

int64_t form_columns(const mmarn_tensor *x1)
{
    return x1->ndim > 0 ? x1->shape[x1->ndim - 1] : 0;
}

void form_read(struct call *call, PyObject *const objects[FORM_INPUTS], const char *x1_name, struct form *form)
{
    *form = (struct form){.step = MMARN_STEP_INIT};
    mmarn_step *step = &form->step;
    step->x1 = call_array(call, objects[FORM_X1], x1_name, ARRAY_READ, &form->inputs[FORM_X1]);
    step->residual = call_optional(call, objects[FORM_RESIDUAL], "residual", ARRAY_READ, &form->inputs[FORM_RESIDUAL]);
    step->x1_scale = call_optional(call, objects[FORM_X1_SCALE], "x1_scale", ARRAY_READ, &form->inputs[FORM_X1_SCALE]);
    step->x3 = call_optional(call, objects[FORM_X3], "x3", ARRAY_READ, &form->inputs[FORM_X3]);
}

/* The outputs' dtype, as far as the arguments tell. */
static mmarn_dtype output_dtype(const struct form *form, mmarn_dtype int8_out)
{
    const mmarn_step *step = &form->step;
    if (step->x1->dtype != MMARN_I8)
        return step->x1->dtype;
    if (int8_out)
        return int8_out;
    return step->residual ? step->residual->dtype : MMARN_F32;
}

static bool is_text(PyObject *object, const char *text)
{
    return PyUnicode_Check(object) && PyUnicode_CompareWithASCIIString(object, text) == 0;
}

/* One output: NULL where it is not wanted. */
static const mmarn_tensor *open_one(struct call *call, PyObject *object, PyObject *like, enum form_output which,
                                    mmarn_dtype dtype, const mmarn_tensor *shape, struct form *form)
{
    const bool int8 = which == FORM_NORM_OUT && is_text(object, "int8");
    if (object == Py_None)
        return NULL;
    if (object == Py_True || int8)
        return output_open(call, Py_None, like, output_names[which], int8 ? MMARN_I8 : dtype, shape,
                           &form->outputs[which]);
    return output_open(call, object, like, output_names[which], 0, NULL, &form->outputs[which]);
}

void form_open(struct call *call, PyObject *const inputs[FORM_INPUTS], PyObject *const objects[FORM_OUTPUTS], int64_t n,
               int64_t rows, mmarn_dtype int8_out, struct form *form)
{
    mmarn_step *step = &form->step;
    PyObject *like = step->residual ? inputs[FORM_RESIDUAL] : inputs[FORM_X1];
    const mmarn_dtype out = output_dtype(form, int8_out);
    mmarn_tensor wide = step->residual ? *step->residual : *step->x1, narrow = {.ndim = 1};
    narrow.shape[0] = rows < 0 ? form_rows(step->x1) : rows;
    if (!step->residual && rows >= 0)
        wide = (mmarn_tensor){.ndim = 2, .shape = {rows, n}};
    else if (!step->residual && wide.ndim > 0)
        wide.shape[wide.ndim - 1] = n;
    step->y = open_one(call, objects[FORM_Y], like, FORM_Y, step->residual ? step->residual->dtype : out, &wide, form);
    step->norm_out = open_one(call, objects[FORM_NORM_OUT], like, FORM_NORM_OUT, out, &wide, form);
    step->mm_out = open_one(call, objects[FORM_MM_OUT], like, FORM_MM_OUT, out, &wide, form);
    step->rstd = open_one(call, objects[FORM_RSTD], like, FORM_RSTD, MMARN_F32, &narrow, form);
    /* A new int8 norm_out comes with its scales. */
    PyObject *scale = objects[FORM_NORM_SCALE];
    if (scale == Py_None && is_text(objects[FORM_NORM_OUT], "int8"))
        scale = Py_True;
    step->norm_scale = open_one(call, scale, like, FORM_NORM_SCALE, MMARN_F32, &narrow, form);
}

static PyObject *take_all(struct form *form)
{
    PyObject *results = PyTuple_New(FORM_OUTPUTS);
    for (int i = 0; results && i < FORM_OUTPUTS; i++) {
        PyObject *one = Py_None;
        if (form->outputs[i].object)
            one = output_take(&form->outputs[i]);
        else
            Py_INCREF(Py_None);
        if (one)
            PyTuple_SetItem(results, i, one);
        else
            Py_CLEAR(results);
    }
    return results;
}

PyObject *form_finish(struct call *call, mmarn_status status, struct form *form)
{
    PyObject *results = call_succeeded(call, status) ? take_all(form) : NULL;
    for (int i = 0; i < FORM_INPUTS; i++)
        array_release(&form->inputs[i]);
    for (int i = 0; i < FORM_OUTPUTS; i++)
        output_release(&form->outputs[i]);
    return results;
}
