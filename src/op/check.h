/* SPDX-License-Identifier: MIT */
/*
 * check.h - the one place where arguments are checked. Checks come in the original's order: null pointers, shapes that
 * make a product, other shapes, then everything else, memory last; within a phase in the order in which the arguments
 * stand in the interface. The order is one list (check_list.inc). Nothing here changes what it looks at. Below this,
 * only assertions.
 */
#ifndef MMARN_OP_CHECK_H
#define MMARN_OP_CHECK_H

#include "base/error.h"
#include "op/types.h"

/* Which parts of a call are to be checked, and whether memory is too. */
enum { CHECK_CONFIG = 1, CHECK_STEP = 2, CHECK_MEMORY = 4, CHECK_ALL = CHECK_CONFIG | CHECK_STEP | CHECK_MEMORY };

/*
 * Makes all the checks of these parts, phase by phase over both. Tensors may be missing, and have any number for their
 * dtype. A part that is not named has passed its checks before. A shape that cannot be multiplied has the code
 * ASCEND_SHAPE.
 */
bool check_call(const struct op_call *call, unsigned what, struct error *error);

#endif
