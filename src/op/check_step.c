/*
 * check_step.c - the rules of one step, phase by phase: which tensors must be there, which shapes they have, which
 * dtypes, and what memory they may share. Outputs and residual have one shape; its rows are this rank's.
 */
#include "base/dtype.h"
#include "base/error.h"
#include "op/check.h"
#include "op/tensor.h"

struct named {
    const char *name;
    const mmarn_tensor *tensor; /* or NULL */
};

/* Outputs of a row of n elements, and of one; the order in which they stand. */
enum { WIDE = 3, NARROW = 2, OUTPUTS = WIDE + NARROW };
static void list_outputs(const mmarn_step *step, struct named outputs[OUTPUTS])
{
    const struct named all[OUTPUTS] = {{"y", step->y},
                                       {"norm_out", step->norm_out},
                                       {"mm_out", step->mm_out},
                                       {"rstd", step->rstd},
                                       {"norm_scale", step->norm_scale}};
    for (int i = 0; i < OUTPUTS; i++)
        outputs[i] = all[i];
}

static bool has_norm_output(const mmarn_step *step)
{
    return step->norm_out || step->rstd || step->norm_scale;
}

/* -------------------------------------------------------------------------------------------------------- nulls */

static mmarn_status check_absent(const char *name, const void *given, const char *why)
{
    return given ? error_set(MMARN_ERR_UNSUPPORTED, "%s is given but %s", name, why) : MMARN_OK;
}

/* What the form of the call has no place for. */
static mmarn_status check_form(const struct op_call *call)
{
    const mmarn_step *step = &call->step;
    if (!op_has_matmul(call->form)) {
        CHECK(check_absent("x1_scale", step->x1_scale, "there is no x2"));
        CHECK(check_absent("x3", step->x3, "there is no x2"));
    }
    if (call->form == MMARN_FORM_ADD_RMS_NORM)
        return check_absent("mm_out", step->mm_out, "x1 is mm_out here");
    if (call->form != MMARN_FORM_MM_ALL_REDUCE)
        return MMARN_OK;
    const char *why = "mmarn_mm_all_reduce has neither residual nor norm";
    CHECK(check_absent("gamma", call->kind.norm ? step : NULL, why));
    CHECK(check_absent("residual", step->residual, why));
    CHECK(check_absent("y", step->y, why));
    CHECK(check_absent("norm_out", step->norm_out, why));
    CHECK(check_absent("rstd", step->rstd, why));
    return check_absent("norm_scale", step->norm_scale, why);
}

mmarn_status check_step_nulls(const struct op_call *call)
{
    const mmarn_step *step = &call->step;
    CHECK(tensor_check_given("x1", step->x1));
    CHECK(check_form(call));
    if (call->form == MMARN_FORM_MM_ALL_REDUCE)
        CHECK(tensor_check_given("mm_out", step->mm_out));
    if (call->config->ascend && (call->config->ascend->flags & MMARN_ASCEND_LIMITS)) {
        CHECK(tensor_check_given("residual", step->residual));
        CHECK(tensor_check_given("y", step->y));
        return tensor_check_given("norm_out", step->norm_out);
    }
    if (!step->y && !step->mm_out && !has_norm_output(step))
        return error_set(MMARN_ERR_NULL, "y, norm_out and mm_out are NULL; a step must have an output");
    if (!call->kind.norm && has_norm_output(step))
        return error_set(MMARN_ERR_NULL, "gamma is NULL but %s is given, which needs it",
                         step->norm_out ? "norm_out"
                         : step->rstd   ? "rstd"
                                        : "norm_scale");
    if (step->norm_out && step->norm_out->dtype == MMARN_I8)
        return tensor_check_given("norm_scale", step->norm_scale);
    return check_absent("norm_scale", step->norm_scale, "norm_out is not i8");
}

/* ------------------------------------------------------------------------------------------------------- shapes */

static int64_t columns_of(const struct op_call *call)
{
    return op_has_matmul(call->form) ? call->config->x2->shape[1] : tensor_last(call->step.x1);
}

static mmarn_status check_x1(const struct op_call *call)
{
    const mmarn_tensor *x1 = call->step.x1;
    CHECK(tensor_check_form("x1", x1, 2, 3));
    if (op_has_matmul(call->form) && tensor_last(x1) != call->config->x2->shape[0])
        return error_set(MMARN_ERR_ARGUMENT, "x2 is %s but x1's last axis is %lld", tensor_shape(call->config->x2),
                         (long long)tensor_last(x1));
    return MMARN_OK;
}

/* A tensor whose columns are x2's, or x1's. */
static mmarn_status check_columns(const struct op_call *call, const struct named *named)
{
    CHECK(tensor_check_form(named->name, named->tensor, 2, 3));
    if (tensor_last(named->tensor) != columns_of(call))
        return error_set(MMARN_ERR_ARGUMENT, "%s is %s but %s's last axis is %lld", named->name,
                         tensor_shape(named->tensor), op_has_matmul(call->form) ? "x2" : "x1",
                         (long long)columns_of(call));
    return MMARN_OK;
}

/* A tensor of so many rows: x1's, or this rank's of them. */
static mmarn_status check_rows(const struct op_call *call, const struct named *named, int64_t rows)
{
    const mmarn_tensor *x1 = call->step.x1;
    if (tensor_rows(named->tensor) == rows)
        return MMARN_OK;
    if (rows == tensor_rows(x1))
        return error_set(MMARN_ERR_ARGUMENT, "%s is %s, which has %lld rows, but x1 is %s, which has %lld", named->name,
                         tensor_shape(named->tensor), (long long)tensor_rows(named->tensor), tensor_shape(x1),
                         (long long)rows);
    return error_set(MMARN_ERR_ARGUMENT, "%s is %s, which has %lld rows, but x1 is %s, of which rank %d of %d has %lld",
                     named->name, tensor_shape(named->tensor), (long long)tensor_rows(named->tensor), tensor_shape(x1),
                     call->rank, call->world_size, (long long)rows);
}

/* residual or, without one, the first output; all of the others must be like it. */
static struct named like_of(const struct op_call *call)
{
    struct named outputs[OUTPUTS];
    list_outputs(&call->step, outputs);
    if (call->step.residual)
        return (struct named){"residual", call->step.residual};
    for (int i = 0; i < WIDE; i++)
        if (outputs[i].tensor)
            return outputs[i];
    return (struct named){NULL, NULL};
}

mmarn_status check_step_shapes(const struct op_call *call, bool *empty)
{
    const struct named like = like_of(call), x3 = {"x3", call->step.x3};
    CHECK(check_shape_phase(check_x1(call))); /* first: what follows counts its rows */
    const int64_t rows = op_rows_of(call).count;
    if (x3.tensor)
        CHECK(check_shape_phase(check_columns(call, &x3)));
    if (like.tensor)
        CHECK(check_shape_phase(check_columns(call, &like)));
    if (x3.tensor)
        CHECK(check_rows(call, &x3, tensor_rows(call->step.x1)));
    if (like.tensor)
        CHECK(check_rows(call, &like, rows));
    *empty = tensor_rows(call->step.x1) == 0 || columns_of(call) == 0;
    return MMARN_OK;
}

/* ------------------------------------------------------------------------------------------------------ options */

/* A vector of one fp32 for each row, or NULL. */
static mmarn_status check_vector_of_rows(const struct op_call *call, const char *name, const mmarn_tensor *vector,
                                         int64_t rows)
{
    if (!vector)
        return MMARN_OK;
    CHECK(tensor_check_form(name, vector, 1, 1));
    if (vector->shape[0] != rows)
        return error_set(MMARN_ERR_ARGUMENT, "%s is %s but x1 is %s, which has %lld rows%s", name, tensor_shape(vector),
                         tensor_shape(call->step.x1), (long long)rows,
                         rows == tensor_rows(call->step.x1) ? "" : " on this rank");
    CHECK(tensor_check_dtype(name, vector, "a value for each row", MMARN_F32));
    return tensor_check_contiguous(name, vector);
}

static mmarn_status check_x1_scale(const struct op_call *call)
{
    if (!call->step.x1_scale)
        return MMARN_OK;
    if (call->kind.scenario != OP_INT8)
        return check_absent("x1_scale", call->step.x1_scale, "x1 is not i8");
    return check_vector_of_rows(call, "x1_scale", call->step.x1_scale, tensor_rows(call->step.x1));
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

static mmarn_status check_output_dtypes(const struct op_call *call, int32_t out)
{
    const mmarn_step *step = &call->step;
    const char *like = out_like(call);
    if (step->x3)
        CHECK(check_dtype_or_f32("x3", step->x3, like, out));
    if (step->residual)
        CHECK(check_dtype_or_f32("residual", step->residual, like, out));
    if (step->y && step->residual)
        CHECK(tensor_check_dtype("y", step->y, "residual", step->residual->dtype));
    else if (step->y)
        CHECK(check_dtype_or_f32("y", step->y, like, out));
    if (step->norm_out && step->norm_out->dtype != MMARN_I8)
        CHECK(tensor_check_dtype("norm_out", step->norm_out, like, out));
    return step->mm_out ? tensor_check_dtype("mm_out", step->mm_out, like, out) : MMARN_OK;
}

static mmarn_status check_layouts(const struct op_call *call)
{
    const mmarn_step *step = &call->step;
    const struct named all[] = {{"x1", step->x1},
                                {"x3", step->x3},
                                {"residual", step->residual},
                                {"y", step->y},
                                {"norm_out", step->norm_out},
                                {"mm_out", step->mm_out}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].tensor)
            CHECK(tensor_check_contiguous(all[i].name, all[i].tensor));
    return MMARN_OK;
}

mmarn_status check_step_options(const struct op_call *call)
{
    const mmarn_step *step = &call->step;
    const struct named like = like_of(call);
    const int64_t rows = op_rows_of(call).count;
    struct named outputs[OUTPUTS];
    list_outputs(step, outputs);
    for (int i = 0; i < WIDE; i++)
        if (outputs[i].tensor && outputs[i].tensor != like.tensor)
            CHECK(check_same_shape(outputs[i].name, outputs[i].tensor, like.name, like.tensor));
    if (op_has_matmul(call->form))
        CHECK(tensor_check_dtype("x1", step->x1, call->kind.scenario == OP_WEIGHT_QUANT ? "antiquant_scale" : "x2",
                                 call->kind.x_dtype));
    const int32_t out = op_out_dtype(call);
    CHECK(check_float_dtype(call->kind.out_dtype ? "x1" : out_like(call), out));
    CHECK(check_output_dtypes(call, out));
    CHECK(check_layouts(call));
    CHECK(check_x1_scale(call));
    CHECK(check_vector_of_rows(call, "rstd", step->rstd, rows));
    CHECK(check_vector_of_rows(call, "norm_scale", step->norm_scale, rows));
    return check_ascend_step(call);
}

/* ------------------------------------------------------------------------------------------------------- memory */

mmarn_status check_step_memory(const struct op_call *call)
{
    const mmarn_step *step = &call->step;
    const mmarn_op_config *config = call->config;
    const struct named inputs[] = {
        {"x1", step->x1},
        {"x1_scale", step->x1_scale},
        {"x3", step->x3},
        {"residual", step->residual},
        {"x2", config->x2},
        {"gamma", config->gamma},
        {"bias", config->bias},
        {"dequant_scale", config->dequant_scale},
        {"antiquant_scale", config->antiquant_scale},
        {"antiquant_offset", config->antiquant_offset},
    };
    enum { INPUTS = sizeof inputs / sizeof *inputs, OF_STEP = 4, RESIDUAL = 3 };
    /* Rows of a rank's own lie at other places than x1's. */
    const bool may_be_x1 = !op_has_matmul(call->form) && !(config->flags & MMARN_SHARD_ROWS);
    struct named outputs[OUTPUTS];
    list_outputs(step, outputs);
    for (int i = 0; i < OF_STEP; i++)
        CHECK(tensor_check_data(inputs[i].name, inputs[i].tensor));
    for (int i = 0; i < OUTPUTS; i++)
        CHECK(tensor_check_data(outputs[i].name, outputs[i].tensor));
    for (int i = 0; i < OUTPUTS; i++) {
        for (int j = 0; outputs[i].tensor && j < INPUTS; j++) {
            if (!inputs[j].tensor)
                continue;
            const bool may_be_same = (j == 0 && i < WIDE && may_be_x1) || (j == RESIDUAL && i == 0);
            CHECK(
                tensor_check_apart(outputs[i].name, outputs[i].tensor, inputs[j].name, inputs[j].tensor, may_be_same));
        }
        for (int j = 0; outputs[i].tensor && j < i; j++)
            CHECK(tensor_check_apart(outputs[i].name, outputs[i].tensor, outputs[j].name, outputs[j].tensor, false));
    }
    return MMARN_OK;
}

/* ---------------------------------------------------------------------------------------------- mmarn_op_matmul */

mmarn_status check_matmul(const struct op_call *call, bool *empty)
{
    const mmarn_step *step = &call->step;
    const char *why = "mmarn_op_matmul has x1, x1_scale and mm_out only";
    const struct named partial = {"mm_out", step->mm_out};
    CHECK(tensor_check_given("x1", step->x1));
    CHECK(tensor_check_given("mm_out", step->mm_out));
    CHECK(check_absent("x3", step->x3, why));
    CHECK(check_absent("residual", step->residual, why));
    CHECK(check_absent("y", step->y, why));
    CHECK(check_absent("norm_out", step->norm_out, why));
    CHECK(check_absent("rstd", step->rstd, why));
    CHECK(check_absent("norm_scale", step->norm_scale, why));
    CHECK(check_shape_phase(check_x1(call)));
    CHECK(check_shape_phase(check_columns(call, &partial)));
    CHECK(check_rows(call, &partial, tensor_rows(step->x1)));
    *empty = tensor_elements(step->mm_out) == 0;
    if (*empty)
        return MMARN_OK;
    CHECK(tensor_check_dtype("x1", step->x1, "this operator's x1", call->kind.x_dtype));
    CHECK(tensor_check_dtype("mm_out", step->mm_out, "mmarn_op_matmul's result", MMARN_F32));
    CHECK(check_layouts(call));
    return check_x1_scale(call);
}
