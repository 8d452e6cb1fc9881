/*
 * pipeline.c - the schedule. Each of the four steps takes its tiles in order, so a step is a counter; a thread claims
 * the next item of the step nearest to the outputs that can go on (norm, take in, sum, produce), which keeps rows warm
 * in cache and ring buffers short. It waits only when no step can move, and while it waits, its rank's claims stay
 * open to all threads: the lowest unfinished tile of the group can therefore always be finished by somebody.
 */
#include "op/pipeline.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/sync.h"
#include "base/threads.h"
#include "op/sink.h"

enum {
    MAX_THREADS = 1024,
    /* Looks of a rank's only thread, some microseconds, before it asks for the bell. Where ranks share processors it
       lets the others run between two looks: that is a change of context, but to sleep and be woken is several. */
    POLLS = 256,
    YIELDS = 32
};

enum step { STEP_NONE, STEP_PRODUCE, STEP_SUM, STEP_TAKE_IN, STEP_NORM, STEP_STOP };

/* A claimed piece of work. */
struct work {
    enum step step;
    int64_t tile;                        /* PRODUCE, SUM, TAKE_IN */
    void *buffer;                        /* PRODUCE: the part; SUM: the sum */
    const void *sum;                     /* TAKE_IN, COLL_OWNER */
    const float *parts[MMARN_MAX_RANKS]; /* SUM; TAKE_IN, COLL_ONE_SHOT */
    int64_t row;                         /* NORM */
    int rows;
};

/* What a thread is at, for the others. */
struct held {
    enum step step;
    int64_t tile;
};

struct run {
    const struct op_pipeline *pipeline;
    int threads;
    int norm_rows;     /* rows of one NORM claim */
    struct held *held; /* by thread; under the lock */

    pthread_mutex_t lock; /* over everything below */
    bool agreed;
    int64_t next_produce, next_sum, next_take_in; /* tiles */
    int64_t next_norm;                            /* row */
    int64_t summed, taken_in;                     /* tiles below these are, or are not for this rank to sum */
    bool unflushed;                               /* something has been published or released since the last flush */
    mmarn_status status;                          /* of the first failure, and its sentence */
    char sentence[ERROR_SENTENCE_SIZE];
};

/* A rank's only thread does without: a lock would make each step wait until the last one's stores have arrived. */
static void lock(struct run *run)
{
    if (run->threads > 1)
        pthread_mutex_lock(&run->lock);
}

static void unlock(struct run *run)
{
    if (run->threads > 1)
        pthread_mutex_unlock(&run->lock);
}

/* ------------------------------------------------------------------------------------- claiming, under the lock */

/* Tiles below this one have gone through a step, whose next one is `next`. */
static int64_t finished(const struct run *run, enum step step, int64_t next)
{
    int64_t low = next;
    for (int i = 0; i < run->threads; i++)
        if (run->held[i].step == step && run->held[i].tile < low)
            low = run->held[i].tile;
    return low;
}

/* Gives back what this rank's threads have read since the last time. */
static void release(struct run *run)
{
    struct coll *coll = run->pipeline->coll;
    const bool one_shot = run->pipeline->plan->algorithm == COLL_ONE_SHOT;
    const int64_t summed = finished(run, STEP_SUM, run->next_sum);
    const int64_t taken_in = finished(run, STEP_TAKE_IN, run->next_take_in);
    if (!one_shot && summed != run->summed)
        coll->transport->parts_release(coll, summed);
    if (taken_in != run->taken_in)
        (one_shot ? coll->transport->parts_release : coll->transport->sum_release)(coll, taken_in);
    run->summed = summed;
    run->taken_in = taken_in;
}

static bool claim_norm(struct run *run, struct work *work)
{
    const struct op_plan *plan = run->pipeline->plan;
    if (run->next_norm == plan->rows)
        return false;
    int64_t block = run->next_norm / plan->block_rows;
    if (run->taken_in < (block + 1) * plan->column_tiles)
        return false;
    int64_t end = (block + 1) * plan->block_rows;
    if (end > plan->rows)
        end = plan->rows;
    int64_t left = end - run->next_norm;
    work->row = run->next_norm;
    work->rows = left < run->norm_rows ? (int)left : run->norm_rows;
    run->next_norm += work->rows;
    return true;
}

static bool claim_take_in(struct run *run, struct work *work)
{
    const struct op_plan *plan = run->pipeline->plan;
    struct coll *coll = run->pipeline->coll;
    int64_t tile = run->next_take_in;
    if (tile == plan->tiles)
        return false;
    if (plan->algorithm == COLL_ONE_SHOT) {
        if (!coll->transport->parts(coll, tile, work->parts))
            return false;
    } else {
        work->sum = coll->transport->sum(coll, tile);
        if (!work->sum)
            return false;
    }
    work->tile = tile;
    run->next_take_in++;
    return true;
}

/* The first tile from this one on that this rank sums; or how many there are. */
static int64_t next_own(const struct run *run, int64_t tile)
{
    const struct coll *coll = run->pipeline->coll;
    while (tile < run->pipeline->plan->tiles && coll_owner(coll, tile) != coll->rank)
        tile++;
    return tile;
}

static bool claim_sum(struct run *run, struct work *work)
{
    const struct op_plan *plan = run->pipeline->plan;
    struct coll *coll = run->pipeline->coll;
    if (run->next_sum == plan->tiles || !coll->transport->parts(coll, run->next_sum, work->parts))
        return false;
    work->buffer = coll->transport->sum_begin(coll, run->next_sum);
    if (!work->buffer)
        return false;
    work->tile = run->next_sum;
    run->next_sum = next_own(run, run->next_sum + 1);
    return true;
}

static bool claim_produce(struct run *run, struct work *work)
{
    struct coll *coll = run->pipeline->coll;
    if (run->next_produce == run->pipeline->plan->tiles)
        return false;
    work->buffer = coll->transport->part_begin(coll, run->next_produce);
    if (!work->buffer)
        return false;
    work->tile = run->next_produce++;
    return true;
}

/* Outputs may be written once all ranks are known to ask for the same. */
static bool agreed(struct run *run)
{
    struct coll *coll = run->pipeline->coll;
    mmarn_status status = MMARN_OK;
    if (!run->agreed && coll->transport->agreed(coll, &status)) {
        run->agreed = status == MMARN_OK;
        if (status != MMARN_OK && run->status == MMARN_OK) {
            run->status = status;
            snprintf(run->sentence, sizeof run->sentence, "%s", error_last());
        }
    }
    return run->agreed;
}

static enum step claim_locked(struct run *run, struct work *work)
{
    const struct op_plan *plan = run->pipeline->plan;
    bool may_write = agreed(run);
    if (run->status != MMARN_OK)
        return STEP_STOP;
    if (may_write) {
        release(run);
        if (claim_norm(run, work))
            return STEP_NORM;
        if (claim_take_in(run, work))
            return STEP_TAKE_IN;
        if (claim_sum(run, work))
            return STEP_SUM;
    }
    if (claim_produce(run, work))
        return STEP_PRODUCE;
    return run->next_take_in == plan->tiles && run->next_norm == plan->rows ? STEP_STOP : STEP_NONE;
}

/* This thread has nothing more to do for now, so peers that sleep should know what it has done. */
static void flush(struct run *run)
{
    struct coll *coll = run->pipeline->coll;
    if (run->unflushed && run->pipeline->plan->algorithm == COLL_ONE_SHOT)
        coll->transport->flush(coll);
    run->unflushed = false;
}

static enum step claim(struct run *run, int thread, struct work *work)
{
    struct held *held = &run->held[thread];
    lock(run);
    bool wake = held->step == STEP_TAKE_IN && run->threads > 1;
    run->unflushed = run->unflushed || held->step == STEP_PRODUCE || held->step == STEP_TAKE_IN;
    held->step = STEP_NONE;
    work->step = claim_locked(run, work);
    *held = (struct held){work->step, work->tile};
    if (work->step == STEP_NONE || work->step == STEP_STOP)
        flush(run);
    unlock(run);
    /* The tile that this thread has just taken in may have been the last that another thread's rows waited for. */
    if (wake)
        run->pipeline->coll->transport->wake(run->pipeline->coll);
    return work->step;
}

/* --------------------------------------------------------------------------------------------- doing the work */

static void do_work(struct run *run, int thread, struct work *work)
{
    const struct op_pipeline *pipeline = run->pipeline;
    struct coll *coll = pipeline->coll;
    struct op_tile tile = {0};
    if (work->step != STEP_NORM)
        tile = op_plan_tile(pipeline->plan, work->tile);
    switch (work->step) {
    case STEP_PRODUCE:
        pipeline->produce(pipeline->ctx, thread, &tile, work->buffer);
        coll->transport->part_publish(coll, work->tile);
        break;
    case STEP_SUM:
        coll_reduce(work->parts, coll->world_size, (int64_t)tile.rows * tile.columns, pipeline->sink.sum_dtype,
                    pipeline->sink.in_rank_order, work->buffer);
        coll->transport->sum_publish(coll, work->tile);
        break;
    case STEP_TAKE_IN:
        if (pipeline->plan->algorithm == COLL_ONE_SHOT) {
            op_sink_parts(&pipeline->sink, pipeline->plan->n, &tile, work->parts, coll->world_size);
        } else {
            op_sink_sum(&pipeline->sink, pipeline->plan->n, &tile, work->sum);
        }
        break;
    case STEP_NORM:
        op_sink_norm(&pipeline->sink, pipeline->plan->n, work->row, work->rows);
        break;
    default:
        break;
    }
}

static void fail(struct run *run, mmarn_status status)
{
    lock(run);
    if (run->status == MMARN_OK) {
        run->status = status;
        snprintf(run->sentence, sizeof run->sentence, "%s", error_last());
    }
    unlock(run);
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
    const int polls_most = run->threads > 1 ? 0 : coll->oversubscribed ? YIELDS : POLLS;
    int polls = 0;        /* in a row */
    bool waiting = false; /* wait_begin has been called, and everything is being polled once more */
    uint32_t ticket = 0;
    struct work work = {.step = STEP_NONE};
    while (claim(run, thread, &work) != STEP_STOP) {
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
                fail(run, status);
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
    if (threads > MAX_THREADS)
        threads = MAX_THREADS;
    struct coll_call call = {.fields = pipeline->fields, .tiles = plan->tiles, .algorithm = plan->algorithm};
    for (int i = 0; i < COLL_FIELDS; i++)
        call.values[i] = pipeline->values[i];
    mmarn_status status = coll->transport->begin(coll, &call);
    if (status != MMARN_OK)
        return status;

    struct held held[MAX_THREADS];
    memset(held, 0, (size_t)threads * sizeof held[0]);
    struct run run = {
        .pipeline = pipeline,
        .threads = threads,
        .held = held,
        .norm_rows = (plan->block_rows - 1) / threads + 1,
        .next_norm = pipeline->sink.residual ? 0 : plan->rows,
        .status = MMARN_OK,
    };
    run.next_sum = plan->algorithm == COLL_OWNER ? next_own(&run, 0) : plan->tiles;
    pthread_mutex_init(&run.lock, NULL);
    threads_run(threads, worker, &run);
    pthread_mutex_destroy(&run.lock);
    if (run.status != MMARN_OK)
        error_adopt(run.sentence);
    coll->transport->end(coll, run.status);
    return run.status;
}
