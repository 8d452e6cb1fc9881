/* SPDX-License-Identifier: MIT */
/* check_memory.c - the rules of memory: what has elements has data, and no output overlaps anything else. */
#include "base/dtype.h"
#include "op/check_pieces.h"
#include "op/check_rules.h"
#include "op/tensor.h"

/* tensor may be NULL. */
static bool has_data(const char *name, const mmarn_tensor *tensor, struct error *error)
{
    if (!tensor || tensor->data || tensor_elements(tensor) == 0)
        return true;
    return error_fail(error, MMARN_ERR_NULL, "%s->data is NULL but %s has %lld elements", name, name,
                      (long long)tensor_elements(tensor));
}

/* a must not overlap b, unless may_be_same and they are one and the same memory. */
static bool apart(const char *a_name, const mmarn_tensor *a, const char *b_name, const mmarn_tensor *b,
                  bool may_be_same, struct error *error)
{
    if (!tensor_overlap(a, b) || (may_be_same && a->data == b->data && a->dtype == b->dtype))
        return true;
    return error_fail(error, MMARN_ERR_ARGUMENT, "%s (at %p) overlaps %s (at %p); it must %s", a_name, a->data, b_name,
                      b->data, may_be_same ? "be the same memory or none of it" : "be memory of its own");
}

bool check_config_data(const struct op_call *call, struct error *error)
{
    const mmarn_op_config *config = call->config;
    return has_data("x2", config->x2, error) && has_data("gamma", config->gamma, error) &&
           has_data("bias", config->bias, error) && has_data("dequant_scale", config->dequant_scale, error) &&
           has_data("antiquant_scale", config->antiquant_scale, error) &&
           has_data("antiquant_offset", config->antiquant_offset, error);
}

bool check_step_data(const struct op_call *call, struct error *error)
{
    const mmarn_step *step = &call->step;
    return has_data("x1", step->x1, error) && has_data("x1_scale", step->x1_scale, error) &&
           has_data("x3", step->x3, error) && has_data("residual", step->residual, error) &&
           has_data("y", step->y, error) && has_data("norm_out", step->norm_out, error) &&
           has_data("mm_out", step->mm_out, error) && has_data("rstd", step->rstd, error) &&
           has_data("norm_scale", step->norm_scale, error);
}

/* -------------------------------------------------------------------------------------------------------- overlap */

/* All tensors of a call, inputs first. */
enum {
    X1,
    X1_SCALE,
    X3,
    RESIDUAL,
    X2,
    GAMMA,
    BIAS,
    DEQUANT_SCALE,
    ANTIQUANT_SCALE,
    ANTIQUANT_OFFSET,
    OUTPUTS,
    Y = OUTPUTS,
    NORM_OUT,
    MM_OUT,
    RSTD,
    NORM_SCALE,
    TENSORS
};
static const char *const names[TENSORS] = {
    [X1] = "x1",
    [X1_SCALE] = "x1_scale",
    [X3] = "x3",
    [RESIDUAL] = "residual",
    [X2] = "x2",
    [GAMMA] = "gamma",
    [BIAS] = "bias",
    [DEQUANT_SCALE] = "dequant_scale",
    [ANTIQUANT_SCALE] = "antiquant_scale",
    [ANTIQUANT_OFFSET] = "antiquant_offset",
    [Y] = "y",
    [NORM_OUT] = "norm_out",
    [MM_OUT] = "mm_out",
    [RSTD] = "rstd",
    [NORM_SCALE] = "norm_scale",
};

static bool may_be_same(const struct op_call *call, int output, int other)
{
    /* Rows that are dealt out lie at other places than x1's. */
    if (other == X1)
        return output <= MM_OUT && !op_has_matmul(call->form) && !(call->config->flags & MMARN_SHARD_ROWS);
    return other == RESIDUAL && output == Y;
}

bool check_outputs_apart(const struct op_call *call, struct error *error)
{
    const mmarn_step *step = &call->step;
    const mmarn_op_config *config = call->config;
    const mmarn_tensor *const tensors[TENSORS] = {
        [X1] = step->x1,
        [X1_SCALE] = step->x1_scale,
        [X3] = step->x3,
        [RESIDUAL] = step->residual,
        [X2] = config->x2,
        [GAMMA] = config->gamma,
        [BIAS] = config->bias,
        [DEQUANT_SCALE] = config->dequant_scale,
        [ANTIQUANT_SCALE] = config->antiquant_scale,
        [ANTIQUANT_OFFSET] = config->antiquant_offset,
        [Y] = step->y,
        [NORM_OUT] = step->norm_out,
        [MM_OUT] = step->mm_out,
        [RSTD] = step->rstd,
        [NORM_SCALE] = step->norm_scale,
    };
    struct given {
        int which;
        struct span span;
    } given[TENSORS];
    int count = 0;
    for (int i = 0; i < TENSORS; i++)
        if (tensors[i])
            given[count++] = (struct given){i, tensor_span(tensors[i])};
    for (const struct given *a = given; a < given + count; a++)
        for (const struct given *b = given; a->which >= OUTPUTS && b < a; b++)
            if (span_overlap(a->span, b->span) &&
                !apart(names[a->which], tensors[a->which], names[b->which], tensors[b->which],
                       may_be_same(call, a->which, b->which), error))
                return false;
    return true;
}

/* ---------------------------------------------------------------------------------------------------- collectives */

bool check_in_and_out_data(const struct op_call *call, struct error *error)
{
    return has_data("in", call->step.x1, error) && has_data("out", call->step.mm_out, error);
}

bool check_all_reduce_apart(const struct op_call *call, struct error *error)
{
    return apart("out", call->step.mm_out, "in", call->step.x1, true, error);
}

bool check_reduce_scatter_apart(const struct op_call *call, struct error *error)
{
    return apart("out", call->step.mm_out, "in", call->step.x1, false, error);
}

/* in may be where its rows of out lie: nobody writes them to another place. */
bool check_all_gather_apart(const struct op_call *call, struct error *error)
{
    const mmarn_tensor *in = call->step.x1, *out = call->step.mm_out;
    const struct matrix whole = tensor_matrix(out);
    const int64_t before = op_rows_shard(whole.rows, call->rank, call->world_size).first * whole.n;
    const char *own = (const char *)out->data + (size_t)before * dtype_size(out->dtype);
    if (!tensor_overlap(in, out) || in->data == own)
        return true;
    return error_fail(error, MMARN_ERR_ARGUMENT,
                      "in (at %p) overlaps out (at %p); it must be memory of its own or its own rows of out (at %p)",
                      in->data, out->data, (const void *)own);
}
