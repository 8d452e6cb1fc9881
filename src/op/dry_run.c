/* SPDX-License-Identifier: MIT */
/* dry_run.c - mmarn_check: without a group, makes every check of a call except those of its memory. */
#include "op/arguments.h"
#include "op/check.h"
#include "op/check_pieces.h"
#include "op/growth.h"
#include "op/op.h"

/* An operator is first made, then used, so both are checked. */
static bool check_op(struct op_call *call, const mmarn_op_config *config, const mmarn_step *step, struct error *error)
{
    struct op_options options;
    if (!arguments_take_config(config, &options, error))
        return false;
    call->config = &options.config;
    call->kind = op_kind_of(call->config);
    if (!check_call(call, CHECK_CONFIG, error))
        return false;
    return !step || (growth_take(&growth_step, step, &call->step, error) && check_call(call, CHECK_STEP, error));
}

bool op_check(mmarn_form form, int32_t rank, int32_t world_size, const mmarn_op_config *config, const mmarn_step *step,
              struct error *error)
{
    struct op_call call = {.form = form, .rank = rank, .world_size = world_size};
    struct op_options options;
    if (form < MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM || form > MMARN_FORM_ALL_GATHER)
        return error_fail(error, MMARN_ERR_ARGUMENT, "form is %d; it must be one of %d to %d", form,
                          MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM, MMARN_FORM_ALL_GATHER);
    if (!check_rank(rank, world_size, error))
        return false;
    if (form == MMARN_FORM_OP_MATMUL || (op_has_matmul(form) && !step))
        return check_op(&call, config, step, error);
    return arguments_take(&call, &options, config, step, error) && check_call(&call, CHECK_CONFIG | CHECK_STEP, error);
}
