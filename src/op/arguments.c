/* SPDX-License-Identifier: MIT */
/* arguments.c - takes a caller's configuration and step. */
#include "op/arguments.h"

#include "op/growth.h"

bool arguments_take_config(const mmarn_op_config *given, struct op_options *options, struct error *error)
{
    if (!growth_take(&growth_op_config, given, &options->config, error))
        return false;
    if (!options->config.ascend)
        return true;
    if (!growth_take(&growth_ascend_options, options->config.ascend, &options->ascend, error))
        return false;
    options->config.ascend = &options->ascend;
    return true;
}

bool arguments_take(struct op_call *call, struct op_options *options, const mmarn_op_config *config,
                    const mmarn_step *step, struct error *error)
{
    if (!arguments_take_config(config, options, error) || !growth_take(&growth_step, step, &call->step, error))
        return false;
    call->config = &options->config;
    call->kind =
        op_has_matmul(call->form) ? op_kind_of(call->config) : op_kind_without_matmul(call->config, call->step.x1);
    return true;
}
