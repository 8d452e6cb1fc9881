/* SPDX-License-Identifier: MIT */
/* check_call.c - walking the list of all checks (check_list.inc), which is in the order that callers are promised. */
#include "op/ascend.h"
#include "op/check.h"
#include "op/check_rules.h"

enum phase { NULLS, PRODUCT, ROWS, OPTIONS, MEMORY };

/* Forms, by bits. */
#define FORM(name) (1U << MMARN_FORM_##name)
enum {
    MM_ALL_REDUCE = FORM(MM_ALL_REDUCE),
    ADD_RMS_NORM = FORM(ADD_RMS_NORM),
    OP_MATMUL = FORM(OP_MATMUL),
    ALL_REDUCE = FORM(ALL_REDUCE),
    REDUCE_SCATTER = FORM(REDUCE_SCATTER),
    ALL_GATHER = FORM(ALL_GATHER),
    /* x1 @ x2 is summed; x1 is summed, or stands for the sum; in becomes out. */
    FUSED = FORM(MM_ALL_REDUCE_ADD_RMS_NORM) | MM_ALL_REDUCE,
    NORM = FORM(ALL_REDUCE_ADD_RMS_NORM) | ADD_RMS_NORM,
    COLLECTIVE = ALL_REDUCE | REDUCE_SCATTER | ALL_GATHER,
    MATMUL = FUSED | OP_MATMUL
};
#define CONFIG(forms) (forms)
#define STEP(forms)   ((forms) << 8)

static bool refused(enum phase phase, struct error *error)
{
    if (phase == PRODUCT)
        error->code = ASCEND_SHAPE;
    return false;
}

/* The list, for the calls in `now`; `what` as check_call's. */
static inline __attribute__((always_inline)) bool walk(const struct op_call *call, unsigned now, unsigned what,
                                                       struct error *error)
{
#define RULE(phase, calls, rule)                                                                                       \
    if (((calls) & now) && (phase != MEMORY || what & CHECK_MEMORY) && !rule(call, error))                             \
        return refused(phase, error);
#define AN_EMPTY_CALL_PASSES                                                                                           \
    if (what & CHECK_STEP && op_call_is_empty(call))                                                                   \
        return true;
#include "op/check_list.inc"
    return true;
}

bool check_call(const struct op_call *call, unsigned what, struct error *error)
{
    const unsigned form = 1U << call->form;
    const unsigned now = (what & CHECK_CONFIG ? CONFIG(form) : 0) | (what & CHECK_STEP ? STEP(form) : 0);
    /* Three copies of one list: in each the compiler leaves out the lines of other forms. */
    if (form & COLLECTIVE)
        return walk(call, now & STEP(COLLECTIVE), what, error);
    if (form & NORM)
        return walk(call, now & (CONFIG(NORM) | STEP(NORM)), what, error);
    return walk(call, now & (CONFIG(MATMUL) | STEP(MATMUL)), what, error);
}
