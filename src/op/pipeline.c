/*
 * pipeline.c - doing a call's work, piece by piece, as schedule.c hands it out; and what a thread does while there is
 * none: it looks again for a little while, then waits for its rank's bell.
 */
#include "op/pipeline.h"

#include <sched.h>

#include "base/sync.h"
#include "base/threads.h"
#include "op/schedule.h"

enum {
    /* Looks of a rank's only thread, some microseconds, before it asks for the bell. Where ranks share processors it
       lets the others run between two looks: that is a change of context, but to sleep and be woken is several. */
    POLLS = 256,
    YIELDS = 32
};

struct run {
    const struct op_pipeline *pipeline;
    struct schedule schedule;
};

static void do_work(struct run *run, int thread, struct work *work)
{
    const struct op_pipeline *pipeline = run->pipeline;
    struct coll *coll = pipeline->coll;
    struct op_tile tile = {0};
    if (work->step != STEP_NORM)
        tile = op_plan_tile(pipeline->plan, work->tile);
    switch (work->step) {
    case STEP_PRODUCE:
        if (tile.rows > 0)
            pipeline->produce(pipeline->ctx, thread, &tile, work->buffer);
        coll->transport->part_publish(coll, work->tile);
        break;
    case STEP_SUM:
        coll_reduce(work->parts, coll->world_size, (int64_t)tile.rows * tile.columns, pipeline->sink.sum_dtype,
                    pipeline->sink.in_rank_order, work->buffer);
        coll->transport->sum_publish(coll, work->tile);
        break;
    case STEP_TAKE_IN:
        if (pipeline->gather)
            pipeline->gather(pipeline->ctx, &tile, work->parts);
        else if (pipeline->plan->algorithm == COLL_ONE_SHOT)
            op_sink_parts(&pipeline->sink, pipeline->plan->n, &tile, work->parts, coll->world_size);
        else
            op_sink_sum(&pipeline->sink, pipeline->plan->n, &tile, work->sum);
        break;
    case STEP_NORM:
        op_sink_norm(&pipeline->sink, pipeline->plan->n, work->row, work->rows, thread);
        break;
    default:
        break;
    }
}

static void pause_between_polls(const struct coll *coll)
{
    if (coll->oversubscribed)
        sched_yield();
    else
        sync_relax();
}

static void worker(void *ctx, int thread)
{
    struct run *run = ctx;
    struct coll *coll = run->pipeline->coll;
    const int polls_most = run->schedule.threads > 1 ? 0 : coll->oversubscribed ? YIELDS : POLLS;
    int polls = 0;        /* in a row */
    bool waiting = false; /* wait_begin has been called, and everything is being polled once more */
    uint32_t ticket = 0;
    struct work work = {.step = STEP_NONE};
    while (schedule_claim(&run->schedule, thread, &work) != STEP_STOP) {
        if (work.step != STEP_NONE) {
            if (waiting)
                coll->transport->wait_cancel(coll);
            waiting = false;
            polls = 0;
            do_work(run, thread, &work);
        } else if (!waiting && polls < polls_most) {
            polls++;
            pause_between_polls(coll);
        } else if (!waiting) {
            ticket = coll->transport->wait_begin(coll);
            waiting = true;
        } else {
            mmarn_status status = coll->transport->wait(coll, ticket);
            waiting = false;
            if (status != MMARN_OK)
                schedule_fail(&run->schedule, status);
        }
    }
    if (waiting)
        coll->transport->wait_cancel(coll);
    coll->transport->wake(coll);
}

mmarn_status op_pipeline_run(const struct op_pipeline *pipeline, int threads)
{
    struct coll *coll = pipeline->coll;
    const struct op_plan *plan = pipeline->plan;
    struct coll_call call = {
        .fields = pipeline->fields, .tiles = plan->tiles, .algorithm = plan->algorithm, .name = pipeline->name};
    for (int i = 0; i < COLL_FIELDS; i++)
        call.values[i] = pipeline->values[i];
    mmarn_status status = coll->transport->begin(coll, &call);
    if (status != MMARN_OK)
        return status;

    struct run run;
    run.pipeline = pipeline;
    schedule_begin(&run.schedule, coll, plan, pipeline->sink.gamma != NULL, threads);
    threads_run(threads, worker, &run);
    status = schedule_end(&run.schedule);
    coll->transport->end(coll, status);
    return status;
}
