/*
 * check_call.c - all the checks of a call, phase by phase over configuration and step, as if they were one list; and
 * mmarn_check, which makes all but those of memory.
 */
#include "base/error.h"
#include "op/check.h"
#include "op/growth.h"
#include "op/tensor.h"

static mmarn_status check_with_matmul(struct op_call *call, bool *empty)
{
    CHECK(check_config_nulls(call->config));
    call->kind = op_kind_of(call->config);
    CHECK(check_step_nulls(call));
    CHECK(check_config_shapes(call->config));
    CHECK(check_step_shapes(call, empty));
    if (*empty)
        return MMARN_OK;
    CHECK(check_config_options(call->config, call->world_size));
    return check_step_options(call);
}

static mmarn_status check_without_matmul(struct op_call *call, bool *empty)
{
    CHECK(tensor_check_given("x1", call->step.x1));
    CHECK(check_norm_nulls(call->config));
    call->kind = op_kind_without_matmul(call->config, call->step.x1);
    CHECK(check_step_nulls(call));
    CHECK(check_step_shapes(call, empty));
    if (*empty)
        return MMARN_OK;
    CHECK(check_norm_options(call));
    return check_step_options(call);
}

mmarn_status check_call(struct op_call *call, struct op_options *options, const mmarn_op_config *config,
                        const mmarn_step *step, bool *empty)
{
    call->config = &options->config;
    CHECK(check_config_take(config, options));
    CHECK(growth_take(&growth_step, step, &call->step));
    return op_has_matmul(call->form) ? check_with_matmul(call, empty) : check_without_matmul(call, empty);
}

mmarn_status check_call_memory(const struct op_call *call)
{
    CHECK(check_config_memory(call->config));
    return check_step_memory(call);
}

mmarn_status check_weights(const mmarn_op_config *config, int world_size)
{
    CHECK(check_config_nulls(config));
    CHECK(check_config_shapes(config));
    return check_config_options(config, world_size);
}

/* ------------------------------------------------------------------------------------------------- mmarn_check */

static mmarn_status check_group(int32_t rank, int32_t world_size)
{
    if (world_size < 1 || world_size > MMARN_MAX_RANKS)
        return error_set(MMARN_ERR_ARGUMENT, "world_size is %d; a group has 1 to %d ranks", world_size,
                         MMARN_MAX_RANKS);
    if (rank < 0 || rank >= world_size)
        return error_set(MMARN_ERR_ARGUMENT, "rank is %d but world_size is %d", rank, world_size);
    return MMARN_OK;
}

static mmarn_status check_collective(struct op_call *call, const mmarn_op_config *config, const mmarn_step *step)
{
    struct op_options options;
    bool empty = false;
    CHECK(check_config_take(config, &options));
    CHECK(growth_take(&growth_step, step, &call->step));
    const mmarn_tensor *in = call->step.x1, *out = call->step.mm_out;
    if (call->form == MMARN_FORM_ALL_REDUCE)
        return check_all_reduce(options.config.numerics, in, out, &empty);
    if (call->form == MMARN_FORM_REDUCE_SCATTER)
        return check_reduce_scatter(options.config.numerics, in, out, call->rank, call->world_size, &empty);
    return check_all_gather(in, out, call->rank, call->world_size, &empty);
}

static mmarn_status check_one(struct op_call *call, const mmarn_op_config *config, const mmarn_step *step)
{
    struct op_options options;
    bool empty = false;
    if (call->form != MMARN_FORM_OP_MATMUL && step)
        return check_call(call, &options, config, step, &empty);
    CHECK(check_config_take(config, &options));
    if (!op_has_matmul(call->form))
        return tensor_check_given("step", step);
    CHECK(check_weights(&options.config, call->world_size));
    if (!step)
        return MMARN_OK;
    call->config = &options.config;
    call->kind = op_kind_of(&options.config);
    CHECK(growth_take(&growth_step, step, &call->step));
    return check_matmul(call, &empty);
}

mmarn_status check_without_a_group(mmarn_form form, int32_t rank, int32_t world_size, const mmarn_op_config *config,
                                   const mmarn_step *step)
{
    struct op_call call = {.form = form, .rank = rank, .world_size = world_size};
    if (form < MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM || form > MMARN_FORM_ALL_GATHER)
        return error_set(MMARN_ERR_ARGUMENT, "form is %d; it must be one of %d to %d", form,
                         MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM, MMARN_FORM_ALL_GATHER);
    CHECK(check_group(rank, world_size));
    if (form >= MMARN_FORM_ALL_REDUCE)
        return check_collective(&call, config, step);
    return check_one(&call, config, step);
}
