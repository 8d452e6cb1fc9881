/* SPDX-License-Identifier: MIT */
/*
 * arguments.h - a call's configuration and step as the caller gave them, brought to this library's sizes (growth.h) and
 * into one struct op_call. What is in them is for check.h to look at.
 */
#ifndef MMARN_OP_ARGUMENTS_H
#define MMARN_OP_ARGUMENTS_H

#include "base/error.h"
#include "op/types.h"

/* The configuration, and the original's options where it has some. Errors: NULL, ARGUMENT, UNSUPPORTED (struct_size).
 */
bool arguments_take_config(const mmarn_op_config *given, struct op_options *options, struct error *error);

/*
 * Both, into a call whose form, rank and world_size are set: the rest is set here, and points into options. Errors: the
 * same.
 */
bool arguments_take(struct op_call *call, struct op_options *options, const mmarn_op_config *config,
                    const mmarn_step *step, struct error *error);

#endif
