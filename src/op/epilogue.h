/* SPDX-License-Identifier: MIT */
/*
 * epilogue.h - from sums to outputs: mm_out, residual and norm over tiles and rows of one call. It does not know where
 * sums come from. A norm reads complete rows: of y, or of mm_out where the norm comes first.
 */
#ifndef MMARN_OP_EPILOGUE_H
#define MMARN_OP_EPILOGUE_H

#include <stdbool.h>

#include "op/plan.h"

/*
 * The outputs. Matrices are n columns wide, dense, and begin with row `first`: only the rows [first, first + count) of
 * a call are stored. Any output may be NULL, except the one that the norm reads.
 */
struct op_epilogue {
    int32_t dtype;     /* of mm, norm_out and rows */
    int32_t sum_dtype; /* the dtype in which sums travel: dtype, or fp32 */
    int32_t y_dtype;   /* of residual and y: dtype, or fp32 */
    int32_t gamma_dtype;
    bool in_rank_order;        /* see coll_reduce */
    bool round_twice, rescale; /* see norm.h */
    bool norm_first;           /* the norm is of mm, and the residual is added to norm_out */
    float epsilon;
    int64_t first, count;
    void *mm;
    const void *residual;
    void *y;
    const void *gamma; /* NULL: no norm */
    void *norm_out;    /* in dtype; may be what the norm reads */
    signed char *quantised;
    float *norm_scale, *rstd;
    char *rows; /* one row in dtype for each thread, if norm_out is NULL */
};

/*
 * Sets how sums travel and norms round in a mode. keep_sum: in the mode that keeps sums in fp32, sums travel in fp32.
 */
void op_epilogue_round(struct op_epilogue *epilogue, int32_t numerics, bool keep_sum);

/* Stores a tile of sums (dense, sum_dtype), with the residual add. */
void op_epilogue_sum(const struct op_epilogue *epilogue, int64_t n, const struct op_tile *tile, const void *sum);

/* The same from all ranks' partials, which are summed on the way. */
void op_epilogue_partials(const struct op_epilogue *epilogue, int64_t n, const struct op_tile *tile,
                          const float *const parts[], int world_size);

/* Finishes rows of the call whose sums have all been stored. */
void op_epilogue_norm(const struct op_epilogue *epilogue, int64_t n, int64_t row, int rows, int thread);

#endif
