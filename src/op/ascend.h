/* SPDX-License-Identifier: MIT */
/* ascend.h - of the original (mmarn_ascend.h): are its limits asked for, and how it numbers errors. */
#ifndef MMARN_OP_ASCEND_H
#define MMARN_OP_ASCEND_H

#include <stdbool.h>

#include "mmarn/mmarn_ascend.h"

/* What mmarn_last_code gives. An error's own code is ASCEND_SHAPE, or 0: its status says which. */
enum { ASCEND_NULL = 161001, ASCEND_SHAPE = 161002, ASCEND_FAILED = 561000, ASCEND_ARGUMENT = 561002 };

static inline bool ascend_limits(const mmarn_op_config *config)
{
    return config->ascend && (config->ascend->flags & MMARN_ASCEND_LIMITS);
}

#endif
