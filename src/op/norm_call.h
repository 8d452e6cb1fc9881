/* SPDX-License-Identifier: MIT */
/*
 * norm_call.h - what the calls without a matmul share, mmarn_all_reduce_add_rms_norm and mmarn_add_rms_norm: they take
 * and check their arguments, and open their outputs.
 */
#ifndef MMARN_OP_NORM_CALL_H
#define MMARN_OP_NORM_CALL_H

#include "op/comm.h"
#include "op/outputs.h"

struct norm_call {
    struct op_options options;
    struct op_call call; /* points into options */
    float *gamma;        /* 1 + gamma, or NULL */
};

/* Takes the arguments, and makes all checks. comm may be NULL: a group of one. */
bool norm_call_take(struct norm_call *norm, const mmarn_comm *comm, mmarn_form form, const mmarn_op_config *config,
                    const mmarn_step *step, struct error *error);

/* Does outputs_open for the call, with its gamma. norm_call_close frees what both allocated. Errors: MEMORY. */
bool norm_call_open(struct norm_call *norm, int threads, struct op_epilogue *epilogue, void **room,
                    struct error *error);
void norm_call_close(struct norm_call *norm, void *room);

#endif
