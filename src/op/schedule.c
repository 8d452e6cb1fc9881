/*
 * schedule.c - the order of work. Each of the four steps takes its tiles in order, so a step is a counter; a thread
 * claims the next item of the step nearest to the outputs that can go on (norm, take in, sum, produce), which keeps
 * rows warm in cache and ring buffers short. It gets nothing only when no step can move, and while it waits, its rank's
 * claims stay open to all threads: the lowest unfinished tile of the group can therefore always be finished by
 * somebody.
 */
#include "op/schedule.h"

#include <stdio.h>
#include <string.h>

/* A rank's only thread does without: a lock would make each step wait until the last one's stores have arrived. */
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

/* Tiles below this one have gone through a step, whose next one is `next`. */
static int64_t finished(const struct schedule *schedule, enum step step, int64_t next)
{
    int64_t low = next;
    for (int i = 0; i < schedule->threads; i++)
        if (schedule->held[i].step == step && schedule->held[i].tile < low)
            low = schedule->held[i].tile;
    return low;
}

/* Gives back what this rank's threads have read since the last time. */
static void release(struct schedule *schedule)
{
    struct coll *coll = schedule->coll;
    const bool one_shot = schedule->plan->algorithm == COLL_ONE_SHOT;
    const int64_t summed = finished(schedule, STEP_SUM, schedule->next_sum);
    const int64_t taken_in = finished(schedule, STEP_TAKE_IN, schedule->next_take_in);
    if (!one_shot && summed != schedule->summed)
        coll->transport->parts_release(coll, summed);
    if (taken_in != schedule->taken_in)
        (one_shot ? coll->transport->parts_release : coll->transport->sum_release)(coll, taken_in);
    schedule->summed = summed;
    schedule->taken_in = taken_in;
}

/* next_norm counts block_rows rows for every block, also where it has fewer. */
static bool claim_norm(struct schedule *schedule, struct work *work)
{
    const struct op_plan *plan = schedule->plan;
    while (schedule->next_norm < schedule->end_norm) {
        const int64_t block = schedule->next_norm / plan->block_rows, done = schedule->next_norm % plan->block_rows;
        if (schedule->taken_in < (block + 1) * plan->column_tiles)
            return false;
        const struct op_rows rows = op_plan_block(plan, block);
        const int64_t left = rows.count - done;
        work->row = rows.first + done;
        work->rows = left < schedule->norm_rows ? (int)left : schedule->norm_rows;
        schedule->next_norm = left > work->rows ? schedule->next_norm + work->rows : (block + 1) * plan->block_rows;
        if (left > 0)
            return true;
    }
    return false;
}

static bool claim_take_in(struct schedule *schedule, struct work *work)
{
    const struct op_plan *plan = schedule->plan;
    struct coll *coll = schedule->coll;
    int64_t tile = schedule->next_take_in;
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
    schedule->next_take_in++;
    return true;
}

/* The first tile from this one on that this rank sums; or how many there are. */
static int64_t next_own(const struct schedule *schedule, int64_t tile)
{
    const struct coll *coll = schedule->coll;
    while (tile < schedule->plan->tiles && coll_owner(coll, tile) != coll->rank)
        tile++;
    return tile;
}

static bool claim_sum(struct schedule *schedule, struct work *work)
{
    const struct op_plan *plan = schedule->plan;
    struct coll *coll = schedule->coll;
    if (schedule->next_sum == plan->tiles || !coll->transport->parts(coll, schedule->next_sum, work->parts))
        return false;
    work->buffer = coll->transport->sum_begin(coll, schedule->next_sum);
    if (!work->buffer)
        return false;
    work->tile = schedule->next_sum;
    schedule->next_sum = next_own(schedule, schedule->next_sum + 1);
    return true;
}

static bool claim_produce(struct schedule *schedule, struct work *work)
{
    struct coll *coll = schedule->coll;
    if (schedule->next_produce == schedule->plan->tiles)
        return false;
    work->buffer = coll->transport->part_begin(coll, schedule->next_produce);
    if (!work->buffer)
        return false;
    work->tile = schedule->next_produce++;
    return true;
}

/* Outputs may be written once all ranks are known to ask for the same. */
static bool agreed(struct schedule *schedule)
{
    struct coll *coll = schedule->coll;
    mmarn_status status = MMARN_OK;
    if (!schedule->agreed && coll->transport->agreed(coll, &status)) {
        schedule->agreed = status == MMARN_OK;
        if (status != MMARN_OK && schedule->status == MMARN_OK) {
            schedule->status = status;
            snprintf(schedule->sentence, sizeof schedule->sentence, "%s", error_last());
        }
    }
    return schedule->agreed;
}

static enum step claim_locked(struct schedule *schedule, struct work *work)
{
    const struct op_plan *plan = schedule->plan;
    bool may_write = agreed(schedule);
    if (schedule->status != MMARN_OK)
        return STEP_STOP;
    if (may_write) {
        release(schedule);
        if (claim_norm(schedule, work))
            return STEP_NORM;
        if (claim_take_in(schedule, work))
            return STEP_TAKE_IN;
        if (claim_sum(schedule, work))
            return STEP_SUM;
    }
    if (claim_produce(schedule, work))
        return STEP_PRODUCE;
    return schedule->next_take_in == plan->tiles && schedule->next_norm == schedule->end_norm ? STEP_STOP : STEP_NONE;
}

/* This thread has nothing more to do for now, so peers that sleep should know what it has done. */
static void flush(struct schedule *schedule)
{
    struct coll *coll = schedule->coll;
    if (schedule->unflushed && schedule->plan->algorithm == COLL_ONE_SHOT)
        coll->transport->flush(coll);
    schedule->unflushed = false;
}

enum step schedule_claim(struct schedule *schedule, int thread, struct work *work)
{
    struct held *held = &schedule->held[thread];
    lock(schedule);
    bool wake = held->step == STEP_TAKE_IN && schedule->threads > 1;
    schedule->unflushed = schedule->unflushed || held->step == STEP_PRODUCE || held->step == STEP_TAKE_IN;
    held->step = STEP_NONE;
    work->step = claim_locked(schedule, work);
    *held = (struct held){work->step, work->tile};
    if (work->step == STEP_NONE || work->step == STEP_STOP)
        flush(schedule);
    unlock(schedule);
    /* The tile that this thread has just taken in may have been the last that another thread's rows waited for. */
    if (wake)
        schedule->coll->transport->wake(schedule->coll);
    return work->step;
}

void schedule_fail(struct schedule *schedule, mmarn_status status)
{
    lock(schedule);
    if (schedule->status == MMARN_OK) {
        schedule->status = status;
        snprintf(schedule->sentence, sizeof schedule->sentence, "%s", error_last());
    }
    unlock(schedule);
}

void schedule_begin(struct schedule *schedule, struct coll *coll, const struct op_plan *plan, bool norm, int threads)
{
    /* Only what the threads use of `held`: the whole of it would take longer than a small call. */
    memset(schedule, 0, offsetof(struct schedule, held) + (size_t)threads * sizeof schedule->held[0]);
    schedule->coll = coll;
    schedule->plan = plan;
    schedule->threads = threads;
    schedule->norm_rows = (plan->block_rows - 1) / threads + 1;
    schedule->next_sum = plan->algorithm == COLL_OWNER ? next_own(schedule, 0) : plan->tiles;
    schedule->end_norm = norm ? plan->blocks * plan->block_rows : 0;
    pthread_mutex_init(&schedule->lock, NULL);
}

mmarn_status schedule_end(struct schedule *schedule)
{
    pthread_mutex_destroy(&schedule->lock);
    if (schedule->status != MMARN_OK)
        error_adopt(schedule->sentence);
    return schedule->status;
}
