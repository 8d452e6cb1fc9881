/*
 * call.h - what all collective calls of the operator floor share: what ranks must agree on, and how a call is refused.
 */
#ifndef MMARN_OP_CALL_H
#define MMARN_OP_CALL_H

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
 * Fills pipeline's fields and values from the terms, and how its sink sums and rounds; the sink's tensors and their
 * dtypes are each rank's own.
 */
void call_terms_set(struct op_pipeline *pipeline, const struct call_terms *terms);

/*
 * With the group taken and every check made: plans the call, runs the pipeline, of which work and sink have been set,
 * and leaves the group.
 */
mmarn_status call_run(mmarn_comm *comm, const struct call_terms *terms, enum op_source_kind source,
                      struct op_pipeline *pipeline);

/* Ends a collective call, and with it the life of its name. */
void call_leave(mmarn_comm *comm);

/* Ends a call that this rank refused: tells the peers why, with the sentence that is recorded. Returns status. */
mmarn_status call_refuse(mmarn_comm *comm, mmarn_status status);

/* A whole call that the caller refuses, for a reason of its own. */
mmarn_status call_refuse_for_caller(mmarn_comm *comm, const char *sentence);

/* Ends a call in which there is nothing to do. */
mmarn_status call_skip(mmarn_comm *comm);

#endif
