/* SPDX-License-Identifier: MIT */
/* pipeline.c - one collective call: what its steps do, and how its plan becomes a grid of tiles. */
#include "op/pipeline.h"

#include <assert.h>

#include "base/threads.h"
#include "coll/reduce.h"
#include "coll/worker.h"

struct run {
    const struct op_pipeline *pipeline;
    struct schedule schedule;
};

static const float *const *partials_of(const struct work *work)
{
    return (const float *const *)work->arrived;
}

static void apply_epilogue(const struct op_pipeline *pipeline, const struct op_tile *tile, const struct work *work)
{
    if (pipeline->gather)
        pipeline->gather(pipeline->ctx, tile, partials_of(work));
    else if (pipeline->plan->algorithm == COLL_ONE_SHOT)
        op_epilogue_partials(&pipeline->epilogue, pipeline->plan->n, tile, partials_of(work),
                             pipeline->coll->world_size);
    else
        op_epilogue_sum(&pipeline->epilogue, pipeline->plan->n, tile, work->arrived[0]);
}

/* The last block of a shard can have fewer rows than the plan's maximum. */
static void norm(const struct op_pipeline *pipeline, int thread, const struct work *work)
{
    const struct op_rows rows = op_plan_block(pipeline->plan, work->block);
    const int64_t left = rows.count - work->from;
    if (left > 0)
        op_epilogue_norm(&pipeline->epilogue, pipeline->plan->n, rows.first + work->from,
                         left < work->rows ? (int)left : work->rows, thread);
}

static void do_work(void *ctx, int thread, struct work *work)
{
    const struct op_pipeline *pipeline = ((const struct run *)ctx)->pipeline;
    if (work->step == STEP_NORM) {
        norm(pipeline, thread, work);
        return;
    }
    const struct op_tile tile = op_plan_tile(pipeline->plan, work->tile);
    if (work->step == STEP_EPILOGUE)
        apply_epilogue(pipeline, &tile, work);
    else if (work->step == STEP_REDUCE)
        coll_reduce(partials_of(work), pipeline->coll->world_size, (int64_t)tile.rows * tile.columns,
                    pipeline->epilogue.sum_dtype, pipeline->epilogue.in_rank_order, work->buffer);
    else if (tile.rows > 0)
        pipeline->produce(pipeline->ctx, thread, &tile, work->buffer);
}

static void run_thread(void *ctx, int thread)
{
    struct run *run = ctx;
    worker_run(&run->schedule, thread, do_work, run);
}

bool op_pipeline_run(const struct op_pipeline *pipeline, int threads, struct error *error)
{
    struct coll *coll = pipeline->coll;
    const struct op_plan *plan = pipeline->plan;
    assert(threads >= 1 && threads <= coll->max_threads);
    assert(!pipeline->gather || plan->algorithm == COLL_ONE_SHOT);
    struct coll_call call = {
        .fields = pipeline->fields, .shape = {plan->tiles, plan->algorithm}, .name = pipeline->name};
    for (int i = 0; i < COLL_FIELDS; i++)
        call.values[i] = pipeline->values[i];
    if (!coll_begin(coll, &call, error))
        return false;

    const struct coll_grid grid = {
        .column_tiles = plan->column_tiles,
        .blocks = pipeline->epilogue.gamma ? plan->blocks : 0,
        .block_rows = plan->block_rows,
    };
    struct run run;
    run.pipeline = pipeline;
    schedule_begin(&run.schedule, coll, &call, &grid, threads, error);
    threads_run(threads, run_thread, &run);
    const bool done = schedule_end(&run.schedule);
    coll_end(coll, done ? MMARN_OK : error->status);
    return done;
}
