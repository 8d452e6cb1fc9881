/* SPDX-License-Identifier: MIT */
/*
 * check_step.c - the rules of a step's tensors: which must be there, which shapes they have, which dtypes and layouts.
 * Outputs and residual have one shape; its rows are this rank's.
 */
#include "base/dtype.h"
#include "op/ascend.h"
#include "op/check_pieces.h"
#include "op/check_rules.h"
#include "op/tensor.h"

struct named {
    const char *name;
    const mmarn_tensor *tensor; /* or NULL */
};

/* -------------------------------------------------------------------------------------------------------- nulls */

bool check_x1_given(const struct op_call *call, struct error *error)
{
    return check_given("x1", call->step.x1, error);
}

bool check_mm_out_given(const struct op_call *call, struct error *error)
{
    return check_given("mm_out", call->step.mm_out, error);
}

bool check_no_matmul(const struct op_call *call, struct error *error)
{
    return check_absent("x1_scale", call->step.x1_scale, "there is no x2", error) &&
           check_absent("x3", call->step.x3, "there is no x2", error);
}

bool check_no_sum(const struct op_call *call, struct error *error)
{
    return check_absent("mm_out", call->step.mm_out, "x1 is mm_out here", error);
}

static bool no_residual_and_norm(const mmarn_step *step, const char *why, struct error *error)
{
    return check_absent("residual", step->residual, why, error) && check_absent("y", step->y, why, error) &&
           check_absent("norm_out", step->norm_out, why, error) && check_absent("rstd", step->rstd, why, error) &&
           check_absent("norm_scale", step->norm_scale, why, error);
}

bool check_no_norm(const struct op_call *call, struct error *error)
{
    const char *why = "mmarn_mm_all_reduce has neither residual nor norm";
    return check_absent("gamma", call->kind.norm ? call : NULL, why, error) &&
           no_residual_and_norm(&call->step, why, error);
}

bool check_partial_alone(const struct op_call *call, struct error *error)
{
    const char *why = "mmarn_op_matmul has x1, x1_scale and mm_out only";
    return check_absent("x3", call->step.x3, why, error) && no_residual_and_norm(&call->step, why, error);
}

bool check_outputs_given(const struct op_call *call, struct error *error)
{
    const mmarn_step *step = &call->step;
    if (ascend_limits(call->config)) /* check_ascend_given */
        return true;
    const char *of_norm = step->norm_out ? "norm_out" : step->rstd ? "rstd" : step->norm_scale ? "norm_scale" : NULL;
    if (!step->y && !step->mm_out && !of_norm)
        return error_fail(error, MMARN_ERR_NULL, "y, norm_out and mm_out are NULL; a step must have an output");
    if (!call->kind.norm && of_norm)
        return error_fail(error, MMARN_ERR_NULL, "gamma is NULL but %s is given, which needs it", of_norm);
    if (step->norm_out && step->norm_out->dtype == MMARN_I8)
        return check_given("norm_scale", step->norm_scale, error);
    return check_absent("norm_scale", step->norm_scale, "norm_out is not i8", error);
}

/* ------------------------------------------------------------------------------------------------------- shapes */

bool check_x1_shape(const struct op_call *call, struct error *error)
{
    const mmarn_tensor *x1 = call->step.x1;
    if (!check_axes("x1", x1, 2, 3, error))
        return false;
    if (op_has_matmul(call->form) && tensor_last(x1) != call->config->x2->shape[0])
        return error_fail(error, MMARN_ERR_ARGUMENT, "x2 is %s but x1's last axis is %lld",
                          tensor_shape(call->config->x2), (long long)tensor_last(x1));
    return true;
}

/* residual or, without one, the first output; all of the others must be like it. */
static struct named like_of(const mmarn_step *step)
{
    return step->residual   ? (struct named){"residual", step->residual}
           : step->y        ? (struct named){"y", step->y}
           : step->norm_out ? (struct named){"norm_out", step->norm_out}
                            : (struct named){"mm_out", step->mm_out};
}

/* The columns must be x2's, or x1's. */
static bool columns_fit(const struct op_call *call, struct named named, struct error *error)
{
    if (!named.tensor)
        return true;
    if (!check_axes(named.name, named.tensor, 2, 3, error))
        return false;
    const int64_t columns = op_columns_of(call);
    return tensor_last(named.tensor) == columns ||
           error_fail(error, MMARN_ERR_ARGUMENT, "%s is %s but %s's last axis is %lld", named.name,
                      tensor_shape(named.tensor), op_has_matmul(call->form) ? "x2" : "x1", (long long)columns);
}

bool check_x3_columns(const struct op_call *call, struct error *error)
{
    return columns_fit(call, (struct named){"x3", call->step.x3}, error);
}

bool check_columns(const struct op_call *call, struct error *error)
{
    return columns_fit(call, like_of(&call->step), error);
}

/* The rows must be x1's, or this rank's of them. */
static bool rows_fit(const struct op_call *call, struct named named, int64_t rows, struct error *error)
{
    const mmarn_tensor *x1 = call->step.x1;
    if (!named.tensor || tensor_rows(named.tensor) == rows)
        return true;
    if (rows == tensor_rows(x1))
        return error_fail(error, MMARN_ERR_ARGUMENT, "%s is %s, which has %lld rows, but x1 is %s, which has %lld",
                          named.name, tensor_shape(named.tensor), (long long)tensor_rows(named.tensor),
                          tensor_shape(x1), (long long)rows);
    return error_fail(error, MMARN_ERR_ARGUMENT,
                      "%s is %s, which has %lld rows, but x1 is %s, of which rank %d of %d has %lld", named.name,
                      tensor_shape(named.tensor), (long long)tensor_rows(named.tensor), tensor_shape(x1), call->rank,
                      call->world_size, (long long)rows);
}

bool check_x3_rows(const struct op_call *call, struct error *error)
{
    return rows_fit(call, (struct named){"x3", call->step.x3}, tensor_rows(call->step.x1), error);
}

bool check_rows(const struct op_call *call, struct error *error)
{
    return rows_fit(call, like_of(&call->step), op_rows_of(call).count, error);
}

static bool same_shape(const char *name, const mmarn_tensor *tensor, struct named like, struct error *error)
{
    return !tensor || tensor == like.tensor || check_same_shape(name, tensor, like.name, like.tensor, error);
}

bool check_output_shapes(const struct op_call *call, struct error *error)
{
    const mmarn_step *step = &call->step;
    const struct named like = like_of(step);
    return same_shape("y", step->y, like, error) && same_shape("norm_out", step->norm_out, like, error) &&
           same_shape("mm_out", step->mm_out, like, error);
}

/* ------------------------------------------------------------------------------------------- dtypes and layouts */

bool check_x1_dtype(const struct op_call *call, struct error *error)
{
    const char *like = call->form == MMARN_FORM_OP_MATMUL       ? "this operator's x1"
                       : call->kind.scenario == OP_WEIGHT_QUANT ? "antiquant_scale"
                                                                : "x2";
    return check_dtype("x1", call->step.x1, like, call->kind.x_dtype, error);
}

bool check_partial_dtype(const struct op_call *call, struct error *error)
{
    return check_dtype("mm_out", call->step.mm_out, "mmarn_op_matmul's result", MMARN_F32, error);
}

/* What says which dtype outputs have. */
static const char *out_like(const struct op_call *call)
{
    if (call->kind.scenario == OP_WEIGHT_QUANT)
        return "antiquant_scale";
    if (call->kind.scenario == OP_FLOAT)
        return op_has_matmul(call->form) ? "x2" : "x1";
    return call->kind.out_dtype                                            ? "this operator's output"
           : call->step.norm_out && call->step.norm_out->dtype != MMARN_I8 ? "norm_out"
           : call->step.mm_out                                             ? "mm_out"
                                                                           : "y";
}

bool check_dtypes(const struct op_call *call, struct error *error)
{
    const mmarn_step *step = &call->step;
    const int32_t out = op_out_dtype(call);
    const char *like = out_like(call);
    const struct named stream = {step->residual ? "residual" : "y", step->residual ? step->residual : step->y};
    if (!check_float_dtype(call->kind.out_dtype ? "x1" : like, out, error))
        return false;
    if (step->x3 && !check_dtype_or_f32("x3", step->x3, like, out, error))
        return false;
    if (stream.tensor && !check_dtype_or_f32(stream.name, stream.tensor, like, out, error))
        return false;
    if (step->y && !check_dtype("y", step->y, stream.name, stream.tensor->dtype, error))
        return false;
    if (step->norm_out && step->norm_out->dtype != MMARN_I8 &&
        !check_dtype("norm_out", step->norm_out, like, out, error))
        return false;
    return !step->mm_out || check_dtype("mm_out", step->mm_out, like, out, error);
}

static bool contiguous(const char *name, const mmarn_tensor *tensor, struct error *error)
{
    return !tensor || check_contiguous(name, tensor, error);
}

bool check_layouts(const struct op_call *call, struct error *error)
{
    const mmarn_step *step = &call->step;
    return contiguous("x1", step->x1, error) && contiguous("x3", step->x3, error) &&
           contiguous("residual", step->residual, error) && contiguous("y", step->y, error) &&
           contiguous("norm_out", step->norm_out, error) && contiguous("mm_out", step->mm_out, error);
}

/* One fp32 for each row, or NULL. */
static bool fits_rows(const struct op_call *call, const char *name, const mmarn_tensor *vector, int64_t rows,
                      struct error *error)
{
    const mmarn_tensor *x1 = call->step.x1;
    if (!vector)
        return true;
    if (!check_axes(name, vector, 1, 1, error))
        return false;
    if (vector->shape[0] != rows)
        return error_fail(error, MMARN_ERR_ARGUMENT, "%s is %s but x1 is %s, which has %lld rows%s", name,
                          tensor_shape(vector), tensor_shape(x1), (long long)rows,
                          rows == tensor_rows(x1) ? "" : " on this rank");
    return check_dtype(name, vector, "a value for each row", MMARN_F32, error) && check_contiguous(name, vector, error);
}

bool check_x1_scale(const struct op_call *call, struct error *error)
{
    const mmarn_tensor *x1_scale = call->step.x1_scale;
    if (call->kind.scenario != OP_INT8)
        return check_absent("x1_scale", x1_scale, "x1 is not i8", error);
    return fits_rows(call, "x1_scale", x1_scale, tensor_rows(call->step.x1), error);
}

bool check_row_outputs(const struct op_call *call, struct error *error)
{
    const int64_t rows = op_rows_of(call).count;
    return fits_rows(call, "rstd", call->step.rstd, rows, error) &&
           fits_rows(call, "norm_scale", call->step.norm_scale, rows, error);
}
