/* SPDX-License-Identifier: MIT */
/*
 * call.h - what all collective calls of the operator floor share: what ranks must agree on, and how a call is refused.
 */
#ifndef MMARN_OP_CALL_H
#define MMARN_OP_CALL_H

#include "base/error.h"
#include "op/comm.h"
#include "op/pipeline.h"

enum call_kind {
    CALL_MATMUL,
    CALL_MATMUL_ONLY,
    CALL_ALL_REDUCE,
    CALL_ALL_REDUCE_NORM,
    CALL_REDUCE_SCATTER,
    CALL_ALL_GATHER
};

struct call_terms {
    enum call_kind kind;
    int64_t rows, n;
    int32_t dtype, numerics;
    float epsilon;
    uint32_t flags; /* mmarn_op_config's */
};

/*
 * Fills pipeline's fields and values from the terms, and sets how its epilogue sums and rounds. The epilogue's tensors
 * and their dtypes are each rank's own.
 */
void call_terms_set(struct op_pipeline *pipeline, const struct call_terms *terms);

/*
 * Called with the group taken and every check made, and with the pipeline's work and epilogue set: plans the call, runs
 * the pipeline, and leaves the group.
 */
bool call_run(mmarn_comm *comm, const struct call_terms *terms, enum op_source_kind source,
              struct op_pipeline *pipeline, struct error *error);

/* For a collective alone: config holds its numerics and flags, and nothing else. */
static inline struct op_call call_of_collective(const mmarn_comm *comm, mmarn_form form, const mmarn_op_config *config,
                                                const mmarn_tensor *in, const mmarn_tensor *out)
{
    return (struct op_call){
        .form = form,
        .rank = comm->coll->rank,
        .world_size = comm->coll->world_size,
        .config = config,
        .step = {.x1 = in, .mm_out = out},
    };
}

/* Ends a collective call, and forgets its name. */
void call_leave(mmarn_comm *comm);

/* Ends a call that this rank refuses, and tells the peers why. Always false. */
bool call_refuse(mmarn_comm *comm, const struct error *error);

/* A whole call that the caller refuses for its own reason. */
bool call_refuse_for_caller(mmarn_comm *comm, const char *sentence, struct error *error);

/* Ends a call that has nothing to do. Always true. */
bool call_skip(mmarn_comm *comm);

#endif
