/* SPDX-License-Identifier: MIT */
/*
 * arguments.h - brings a call's configuration and step to this library's sizes (growth.h), and puts them into one
 * struct op_call. check.h checks their contents.
 */
#ifndef MMARN_OP_ARGUMENTS_H
#define MMARN_OP_ARGUMENTS_H

#include "base/error.h"
#include "op/types.h"

/*
 * Takes the configuration, and the original's options if it has some. Errors: NULL, ARGUMENT, UNSUPPORTED
 * (struct_size).
 */
bool arguments_take_config(const mmarn_op_config *given, struct op_options *options, struct error *error);

/*
 * Takes both into a call whose form, rank and world_size are set. Sets the rest of it, which points into options.
 * Errors: the same.
 */
bool arguments_take(struct op_call *call, struct op_options *options, const mmarn_op_config *config,
                    const mmarn_step *step, struct error *error);

#endif
