/* SPDX-License-Identifier: MIT */
/*
 * describe.c - how an operator would do a step: its kernel, the layout of its weights, its plan, and the reason for the
 * algorithm.
 */
#include <stdio.h>
#include <string.h>

#include "op/growth.h"
#include "op/op.h"
#include "op/plan.h"

static const char *layout_name(enum gemm_layout layout)
{
    static const char *const names[] = {[GEMM_KN] = "kn", [GEMM_NK] = "nk", [GEMM_PACKED] = "packed"};
    return names[layout];
}

static int64_t owned_bytes(const mmarn_op *op)
{
    const struct gemm_weights *w = &op->weights;
    const int64_t groups = (w->k + w->group - 1) / w->group, row = w->scale_ld * (int64_t)sizeof(float);
    int64_t bytes = (int64_t)sizeof *op + (w->owned ? gemm_weights_bytes(w) : 0);
    if (op->gamma.data)
        bytes += w->n * (int64_t)dtype_size(op->gamma.dtype);
    bytes += op->bias || op->sums ? w->n * (int64_t)sizeof(float) : 0;
    bytes += op->scale ? groups * row : 0;
    return bytes + (op->offset ? groups * row : 0);
}

static void explain(const struct coll *coll, const struct op_plan *plan, bool sharded, char *text, size_t size)
{
    if (coll->world_size == 1)
        snprintf(text, size, "there is one rank");
    else if (sharded)
        snprintf(text, size, "each rank takes in its own rows only, straight from the ranks that made them");
    else
        snprintf(text, size,
                 "each rank would read %lld elements from its peers; up to %lld a hop costs more than that%s",
                 (long long)(plan->rows * plan->n * (coll->world_size - 1)), (long long)op_plan_one_shot_most(coll),
                 coll->oversubscribed ? ", as ranks share processors" : "");
}

static bool check(const mmarn_op *op, int64_t rows, struct error *error)
{
    const int64_t most = INT64_MAX / 64 / MMARN_MAX_RANKS / (op->weights.n + 1); /* as check_axes, for all ranks */
    if (rows < 1 || rows > most)
        return error_fail(error, MMARN_ERR_ARGUMENT, "rows is %lld; a step of this operator has 1 to %lld",
                          (long long)rows, (long long)most);
    if (atomic_load(&op->comm->forked))
        return error_fail(error, MMARN_ERR_FORKED,
                          "op was made by the parent process; a forked child must make its own");
    return true;
}

bool op_describe(const mmarn_op *op, int64_t rows, mmarn_op_description *out, struct error *error)
{
    const struct coll *coll = op->comm->coll;
    const bool sharded = op->options.config.flags & MMARN_SHARD_ROWS;
    mmarn_op_description made;
    if (!check(op, rows, error) || !growth_take(&growth_op_description, out, &made, error))
        return false;
    if (op->weights.n > 0) {
        const struct op_plan plan =
            op_plan_make(coll, OP_SOURCE_MATMUL, rows, op->weights.n, sharded ? coll->world_size : 1);
        made.algorithm = plan.algorithm == COLL_ONE_SHOT ? "one-shot" : "owner";
        made.block_rows = plan.block_rows;
        made.tile_columns = plan.tile_columns;
        made.tiles = plan.tiles;
        explain(coll, &plan, sharded, made.why, sizeof made.why);
    }
    const struct gemm_choice choice = gemm_choice_of(&op->weights, made.block_rows);
    made.kernel = choice.kernel;
    made.multiply = choice.multiply;
    made.layout = layout_name(op->weights.layout);
    made.weight_bytes = gemm_weights_bytes(&op->weights);
    made.owned_bytes = owned_bytes(op);
    growth_give(&growth_op_description, &made, out);
    return true;
}
