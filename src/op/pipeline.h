/* SPDX-License-Identifier: MIT */
/*
 * pipeline.h - one collective call, from partials to outputs: a rank's threads make the partials of tiles, sum the
 * tiles that the rank owns, run the epilogue of each sum, and normalise finished rows, each as soon as it can be done.
 * It does not know where partials come from.
 */
#ifndef MMARN_OP_PIPELINE_H
#define MMARN_OP_PIPELINE_H

#include "coll/agreement.h"
#include "op/epilogue.h"

/* Fills part (tile.rows x tile.columns, dense, fp32) with this rank's partial of a tile. thread: 0 .. threads - 1. */
typedef void op_produce_fn(void *ctx, int thread, const struct op_tile *tile, float *part);

/* For an all-gather: stores a tile from all ranks' partials of it, instead of a sum. */
typedef void op_gather_fn(void *ctx, const struct op_tile *tile, const float *const parts[]);

struct op_pipeline {
    struct coll *coll;
    const struct op_plan *plan;
    op_produce_fn *produce;
    op_gather_fn *gather; /* NULL: partials are summed, into the epilogue. Otherwise the algorithm is COLL_ONE_SHOT */
    void *ctx;
    struct op_epilogue epilogue;
    const struct coll_field *fields; /* what the ranks must agree on, and this rank's values */
    int64_t values[COLL_FIELDS];
    const char *name; /* of the call, or NULL */
};

bool op_pipeline_run(const struct op_pipeline *pipeline, int threads, struct error *error);

#endif
