/*
 * check.h - the one place where arguments are checked. Checks come in the original's order: null pointers, shapes that
 * make a product, other shapes, then everything else, memory last; within a phase in the order in which the arguments
 * stand in the interface. The order is one list (check_call.c). Nothing here changes what it looks at. Below this, only
 * assertions.
 */
#ifndef MMARN_OP_CHECK_H
#define MMARN_OP_CHECK_H

#include "base/error.h"
#include "op/types.h"

enum check_phase {
    CHECK_NULLS,   /* what must be given, and what the form of the call has no place for */
    CHECK_PRODUCT, /* shapes that make a product; its failures have the code ASCEND_SHAPE */
    CHECK_SHAPES,  /* rows. After it an empty call has passed */
    CHECK_OPTIONS, /* dtypes, layouts, options */
    CHECK_MEMORY   /* is there memory, and does it overlap? */
};

/* The parts of a call. */
enum { CHECK_CONFIG = 1, CHECK_STEP = 2, CHECK_BOTH = CHECK_CONFIG | CHECK_STEP };

/*
 * Makes all the checks of these parts of a call, phase by phase over both, up to the phase `last`. Tensors may be
 * missing, and have any number for their dtype. The part that is not named has passed its checks before.
 */
bool check_call(const struct op_call *call, unsigned parts, enum check_phase last, struct error *error);

#endif
