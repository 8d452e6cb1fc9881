/* SPDX-License-Identifier: MIT */
/*
 * ascend.h - what concerns the original alone (mmarn_ascend.h): whether its limits are asked for, and its error
 * numbers.
 */
#ifndef MMARN_OP_ASCEND_H
#define MMARN_OP_ASCEND_H

#include <stdbool.h>

#include "mmarn/mmarn_ascend.h"

/* The values of mmarn_last_code. An error's own code is ASCEND_SHAPE, or 0: then its status gives the number. */
enum { ASCEND_NULL = 161001, ASCEND_SHAPE = 161002, ASCEND_FAILED = 561000, ASCEND_ARGUMENT = 561002 };

static inline bool ascend_limits(const mmarn_op_config *config)
{
    return config->ascend && (config->ascend->flags & MMARN_ASCEND_LIMITS);
}

#endif
