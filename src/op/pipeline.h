/*
 * pipeline.h - one collective call, from parts to outputs: a rank's threads make tiles, sum the ones that the rank
 * owns, take in the sums, and normalise finished rows, each as soon as it can be done. Knows nothing of where parts
 * come from.
 */
#ifndef MMARN_OP_PIPELINE_H
#define MMARN_OP_PIPELINE_H

#include <stdbool.h>

#include "op/plan.h"

/* Fills part (tile.rows x tile.columns, dense, fp32) with this rank's part of a tile. thread: 0 .. threads - 1. */
typedef void op_produce_fn(void *ctx, int thread, const struct op_tile *tile, float *part);

/* Where sums go. Matrices are rows x n, dense. */
struct op_sink {
    int32_t dtype;                /* of mm_out and norm_out */
    int32_t sum_dtype;            /* in which sums travel: dtype, or fp32 */
    int32_t y_dtype, gamma_dtype; /* y's is also residual's; each is dtype, or fp32 */
    bool in_rank_order;           /* coll_reduce's */
    bool round_twice, rescale;    /* norm.h's */
    float epsilon;
    const void *residual; /* NULL: y is the sum itself, and there is no norm */
    void *y;
    const void *gamma;
    void *norm_out;
};

struct op_pipeline {
    struct coll *coll;
    const struct op_plan *plan;
    op_produce_fn *produce;
    void *ctx;
    struct op_sink sink;
    const struct coll_field *fields; /* what the ranks must agree on, and this rank's values */
    int64_t values[COLL_FIELDS];
    const char *name; /* of the call, or NULL */
};

mmarn_status op_pipeline_run(const struct op_pipeline *pipeline, int threads);

#endif
