/* SPDX-License-Identifier: MIT */
/*
 * schedule.c - the order of work. Each step takes its tiles in order, so a step is a counter. A thread claims the next
 * item of the step nearest to the outputs that can proceed (norm, epilogue, reduce, produce); this keeps rows warm in
 * cache and ring buffers short. A thread gets nothing only when no step can proceed. While it waits, the claims of its
 * rank stay open to all threads, so some thread can always finish the lowest unfinished tile of the group.
 */
#include "coll/schedule.h"

#include <assert.h>
#include <string.h>

/*
 * A rank with one thread takes no lock: a lock would make each step wait until the stores of the last one have arrived.
 */
static void lock(struct schedule *schedule)
{
    if (schedule->threads > 1)
        pthread_mutex_lock(&schedule->lock);
}

static void unlock(struct schedule *schedule)
{
    if (schedule->threads > 1)
        pthread_mutex_unlock(&schedule->lock);
}

static int64_t tiles_of(const struct schedule *schedule)
{
    return schedule->call->shape.tiles;
}

static bool is_one_shot(const struct schedule *schedule)
{
    return schedule->call->shape.algorithm == COLL_ONE_SHOT;
}

static bool read_tile(struct schedule *schedule, enum coll_ring ring, int64_t tile, struct work *work)
{
    struct coll *coll = schedule->coll;
    return coll->transport->read(coll, ring, tile, work->arrived);
}

/* All tiles below the result have been through a step whose next tile is `next`. */
static int64_t done_below(const struct schedule *schedule, enum step step, int64_t next)
{
    int64_t low = next;
    for (int i = 0; i < schedule->threads; i++)
        if (schedule->held[i].step == step && schedule->held[i].tile < low)
            low = schedule->held[i].tile;
    return low;
}

/* Releases what this rank's threads have read since the last time. */
static void release(struct schedule *schedule)
{
    struct coll *coll = schedule->coll;
    const bool one_shot = is_one_shot(schedule);
    const int64_t reduced = done_below(schedule, STEP_REDUCE, schedule->next_reduce);
    const int64_t finished = done_below(schedule, STEP_EPILOGUE, schedule->next_epilogue);
    if (!one_shot && reduced != schedule->reduced)
        coll->transport->release(coll, COLL_PARTIALS, reduced);
    if (finished != schedule->finished)
        coll->transport->release(coll, one_shot ? COLL_PARTIALS : COLL_SUMS, finished);
    schedule->reduced = reduced;
    schedule->finished = finished;
}

static bool claim_norm(struct schedule *schedule, struct work *work)
{
    const struct coll_grid *grid = &schedule->grid;
    const int64_t block = schedule->next_norm / grid->block_rows;
    if (block >= grid->blocks || schedule->finished < (block + 1) * grid->column_tiles)
        return false;
    const int from = (int)(schedule->next_norm % grid->block_rows), left = grid->block_rows - from;
    work->block = block;
    work->from = from;
    work->rows = left < schedule->norm_rows ? left : schedule->norm_rows;
    schedule->next_norm += work->rows;
    return true;
}

static bool claim_epilogue(struct schedule *schedule, struct work *work)
{
    const int64_t tile = schedule->next_epilogue;
    if (tile == tiles_of(schedule) ||
        !read_tile(schedule, is_one_shot(schedule) ? COLL_PARTIALS : COLL_SUMS, tile, work))
        return false;
    work->tile = tile;
    schedule->next_epilogue++;
    return true;
}

/* The first tile at or after this one that this rank sums, or the number of tiles. */
static int64_t next_own(const struct schedule *schedule, int64_t tile)
{
    const struct coll *coll = schedule->coll;
    while (tile < tiles_of(schedule) && coll_owner(coll, tile) != coll->rank)
        tile++;
    return tile;
}

static bool claim_reduce(struct schedule *schedule, struct work *work)
{
    struct coll *coll = schedule->coll;
    const int64_t tile = schedule->next_reduce;
    if (tile == tiles_of(schedule) || !read_tile(schedule, COLL_PARTIALS, tile, work))
        return false;
    work->buffer = coll->transport->begin(coll, COLL_SUMS, tile);
    if (!work->buffer)
        return false;
    work->tile = tile;
    schedule->next_reduce = next_own(schedule, tile + 1);
    return true;
}

static bool claim_produce(struct schedule *schedule, struct work *work)
{
    struct coll *coll = schedule->coll;
    if (schedule->next_produce == tiles_of(schedule))
        return false;
    work->buffer = coll->transport->begin(coll, COLL_PARTIALS, schedule->next_produce);
    if (!work->buffer)
        return false;
    work->tile = schedule->next_produce++;
    return true;
}

/* Outputs may be written once all ranks are known to ask for the same. */
static bool may_write(struct schedule *schedule)
{
    if (!schedule->agreed && !schedule->failed) {
        const enum coll_agreement agreement = coll_agreed(schedule->coll, schedule->call, schedule->error);
        schedule->agreed = agreement == COLL_AGREED;
        schedule->failed = agreement == COLL_DIFFER;
    }
    return schedule->agreed;
}

static bool all_done(const struct schedule *schedule)
{
    return schedule->next_epilogue == tiles_of(schedule) &&
           schedule->next_norm == schedule->grid.blocks * schedule->grid.block_rows;
}

static enum step claim_locked(struct schedule *schedule, struct work *work)
{
    const bool writes = may_write(schedule);
    if (schedule->failed)
        return STEP_STOP;
    if (writes) {
        release(schedule);
        if (claim_norm(schedule, work))
            return STEP_NORM;
        if (claim_epilogue(schedule, work))
            return STEP_EPILOGUE;
        if (claim_reduce(schedule, work))
            return STEP_REDUCE;
    }
    if (claim_produce(schedule, work))
        return STEP_PRODUCE;
    return all_done(schedule) ? STEP_STOP : STEP_NONE;
}

/* This thread has nothing to do for now, so sleeping peers must learn what it has done. */
static void flush(struct schedule *schedule)
{
    struct coll *coll = schedule->coll;
    if (schedule->unflushed && is_one_shot(schedule))
        coll->transport->flush(coll);
    schedule->unflushed = false;
}

enum step schedule_claim(struct schedule *schedule, int thread, struct work *work)
{
    assert(thread >= 0 && thread < schedule->threads);
    struct held *held = &schedule->held[thread];
    lock(schedule);
    const bool wake = held->step == STEP_EPILOGUE && schedule->threads > 1;
    schedule->unflushed = schedule->unflushed || held->step == STEP_PRODUCE || held->step == STEP_EPILOGUE;
    held->step = STEP_NONE;
    work->step = claim_locked(schedule, work);
    *held = (struct held){work->step, work->tile};
    if (work->step == STEP_NONE || work->step == STEP_STOP)
        flush(schedule);
    unlock(schedule);
    /* The tile that this thread has just finished may be the last one that another thread's rows waited for. */
    if (wake)
        sync_event_notify(schedule->coll->event);
    return work->step;
}

void schedule_fail(struct schedule *schedule, const struct error *error)
{
    assert(error->status != MMARN_OK);
    lock(schedule);
    if (!schedule->failed)
        *schedule->error = *error;
    schedule->failed = true;
    unlock(schedule);
}

void schedule_begin(struct schedule *schedule, struct coll *coll, const struct coll_call *call,
                    const struct coll_grid *grid, int threads, struct error *error)
{
    assert(threads >= 1 && threads <= MMARN_MAX_THREADS && grid->block_rows > 0 && grid->column_tiles > 0);
    assert(grid->blocks >= 0 && grid->blocks * grid->column_tiles <= call->shape.tiles);
    assert(coll->call > 0 && coll->shape.tiles == call->shape.tiles);
    /* Only the entries of `held` that the threads use: clearing all of it would take longer than a small call. */
    memset(schedule, 0, offsetof(struct schedule, held) + (size_t)threads * sizeof schedule->held[0]);
    schedule->coll = coll;
    schedule->call = call;
    schedule->grid = *grid;
    schedule->threads = threads;
    schedule->error = error;
    schedule->norm_rows = (grid->block_rows - 1) / threads + 1;
    schedule->next_reduce = call->shape.algorithm == COLL_OWNER ? next_own(schedule, 0) : call->shape.tiles;
    pthread_mutex_init(&schedule->lock, NULL);
}

bool schedule_end(struct schedule *schedule)
{
    pthread_mutex_destroy(&schedule->lock);
    return !schedule->failed;
}
