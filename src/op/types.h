/* SPDX-License-Identifier: MIT */
/*
 * types.h - the words of the operator floor: which scenario an operator is, which form of it a call is, and the call
 * itself, as its checks and its work read it.
 */
#ifndef MMARN_OP_TYPES_H
#define MMARN_OP_TYPES_H

#include <stdbool.h>

#include "base/arithmetic.h"
#include "mmarn/mmarn_ascend.h"
#include "op/tensor.h"

/* A configuration in this library's size, with the original's options beside it where config.ascend is given. */
struct op_options {
    mmarn_op_config config;
    mmarn_ascend_options ascend;
};

/* Which of the three scenarios an operator is; which dtypes x1 and the outputs have follows from it. */
enum op_scenario { OP_FLOAT, OP_INT8, OP_WEIGHT_QUANT };
struct op_kind {
    enum op_scenario scenario;
    int32_t x_dtype;
    int32_t out_dtype; /* 0: the weights leave it to each step */
    bool norm;         /* there is a gamma */
};

/* Of a form's calls: x1 @ x2 is part of it. */
static inline bool op_has_matmul(mmarn_form form)
{
    return form == MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM || form == MMARN_FORM_MM_ALL_REDUCE ||
           form == MMARN_FORM_OP_MATMUL;
}

/* One call, of any form. Of the collectives alone, in is step.x1 and out step.mm_out. */
struct op_call {
    mmarn_form form;
    int rank, world_size;
    const mmarn_op_config *config; /* x2 is NULL where there is no matmul */
    struct op_kind kind;
    mmarn_step step; /* in this library's size */
};

struct op_rows {
    int64_t first, count;
};
/* A rank's own rows, as mmarn_shard deals them out. */
struct op_rows op_rows_shard(int64_t rows, int rank, int world_size);
/* This rank's rows of a call's outputs. */
struct op_rows op_rows_of(const struct op_call *call);

/* Of a call whose shapes have been checked: n, and is there nothing to do? */
static inline int64_t op_columns_of(const struct op_call *call)
{
    return op_has_matmul(call->form) ? call->config->x2->shape[1] : tensor_last(call->step.x1);
}

static inline bool op_call_is_empty(const struct op_call *call)
{
    if (op_has_matmul(call->form))
        return op_columns_of(call) == 0 || tensor_rows(call->step.x1) == 0;
    return tensor_elements(call->form == MMARN_FORM_ALL_GATHER ? call->step.mm_out : call->step.x1) == 0;
}

/* Of the outputs: the operator's, or the step's choice; 0 where a step has no output to tell. */
int32_t op_out_dtype(const struct op_call *call);

/*
 * What an operator is, by its configuration; without a matmul by x1, which is what is summed. Before any check: with no
 * tensor to tell by, or one whose dtype is none, it is something that the checks refuse.
 */
struct op_kind op_kind_of(const mmarn_op_config *config);
struct op_kind op_kind_without_matmul(const mmarn_op_config *config, const mmarn_tensor *x1);

#endif
