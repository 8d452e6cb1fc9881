/* check_memory.c - the rules of memory: what has elements has data, and no output overlaps anything else. */
#include <stddef.h>

#include "base/dtype.h"
#include "op/check_pieces.h"
#include "op/check_rules.h"
#include "op/tensor.h"

bool check_config_data(const struct op_call *call, struct error *error)
{
    const mmarn_op_config *config = call->config;
    return check_data("x2", config->x2, error) && check_data("gamma", config->gamma, error) &&
           check_data("bias", config->bias, error) && check_data("dequant_scale", config->dequant_scale, error) &&
           check_data("antiquant_scale", config->antiquant_scale, error) &&
           check_data("antiquant_offset", config->antiquant_offset, error);
}

bool check_step_data(const struct op_call *call, struct error *error)
{
    const mmarn_step *step = &call->step;
    return check_data("x1", step->x1, error) && check_data("x1_scale", step->x1_scale, error) &&
           check_data("x3", step->x3, error) && check_data("residual", step->residual, error) &&
           check_data("y", step->y, error) && check_data("norm_out", step->norm_out, error) &&
           check_data("mm_out", step->mm_out, error) && check_data("rstd", step->rstd, error) &&
           check_data("norm_scale", step->norm_scale, error);
}

/* -------------------------------------------------------------------------------------------------------- overlap */

/* Where a struct has a tensor's description. */
struct member {
    const char *name;
    size_t at;
};
enum { X1, X1_SCALE, X3, RESIDUAL, STEP_INPUTS };
static const struct member step_inputs[STEP_INPUTS] = {
    [X1] = {"x1", offsetof(mmarn_step, x1)},
    [X1_SCALE] = {"x1_scale", offsetof(mmarn_step, x1_scale)},
    [X3] = {"x3", offsetof(mmarn_step, x3)},
    [RESIDUAL] = {"residual", offsetof(mmarn_step, residual)},
};
static const struct member config_inputs[] = {
    {"x2", offsetof(mmarn_op_config, x2)},
    {"gamma", offsetof(mmarn_op_config, gamma)},
    {"bias", offsetof(mmarn_op_config, bias)},
    {"dequant_scale", offsetof(mmarn_op_config, dequant_scale)},
    {"antiquant_scale", offsetof(mmarn_op_config, antiquant_scale)},
    {"antiquant_offset", offsetof(mmarn_op_config, antiquant_offset)},
};
enum { Y, NORM_OUT, MM_OUT, RSTD, NORM_SCALE, OUTPUTS };
static const struct member outputs[OUTPUTS] = {
    [Y] = {"y", offsetof(mmarn_step, y)},
    [NORM_OUT] = {"norm_out", offsetof(mmarn_step, norm_out)},
    [MM_OUT] = {"mm_out", offsetof(mmarn_step, mm_out)},
    [RSTD] = {"rstd", offsetof(mmarn_step, rstd)},
    [NORM_SCALE] = {"norm_scale", offsetof(mmarn_step, norm_scale)},
};

/* Is this member of `from`, where it is there, apart from an output? */
static bool member_apart(const struct member *output, const mmarn_tensor *tensor, const void *from,
                         const struct member *member, bool may_be_same, struct error *error)
{
    const mmarn_tensor *other = *(const mmarn_tensor *const *)((const char *)from + member->at);
    return !other || check_apart(output->name, tensor, member->name, other, may_be_same, error);
}

static bool output_apart(const struct op_call *call, int at, struct error *error)
{
    const struct member *output = &outputs[at];
    const mmarn_tensor *tensor = *(const mmarn_tensor *const *)((const char *)&call->step + output->at);
    if (!tensor)
        return true;
    /* Rows that are dealt out lie at other places than x1's. */
    const bool may_be_x1 = at <= MM_OUT && !op_has_matmul(call->form) && !(call->config->flags & MMARN_SHARD_ROWS);
    for (int i = 0; i < STEP_INPUTS; i++) {
        const bool may_be_same = i == X1 ? may_be_x1 : i == RESIDUAL && at == Y;
        if (!member_apart(output, tensor, &call->step, &step_inputs[i], may_be_same, error))
            return false;
    }
    for (size_t i = 0; i < sizeof config_inputs / sizeof *config_inputs; i++)
        if (!member_apart(output, tensor, call->config, &config_inputs[i], false, error))
            return false;
    for (int i = 0; i < at; i++)
        if (!member_apart(output, tensor, &call->step, &outputs[i], false, error))
            return false;
    return true;
}

bool check_outputs_apart(const struct op_call *call, struct error *error)
{
    for (int i = 0; i < OUTPUTS; i++)
        if (!output_apart(call, i, error))
            return false;
    return true;
}

/* ---------------------------------------------------------------------------------------------------- collectives */

bool check_in_and_out_data(const struct op_call *call, struct error *error)
{
    return check_data("in", call->step.x1, error) && check_data("out", call->step.mm_out, error);
}

bool check_all_reduce_apart(const struct op_call *call, struct error *error)
{
    return check_apart("out", call->step.mm_out, "in", call->step.x1, true, error);
}

bool check_reduce_scatter_apart(const struct op_call *call, struct error *error)
{
    return check_apart("out", call->step.mm_out, "in", call->step.x1, false, error);
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
