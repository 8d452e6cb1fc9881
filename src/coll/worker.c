/* SPDX-License-Identifier: MIT */
/*
 * worker.c - what a thread does in a call: it works while it can claim work; without work it polls for a short time,
 * then waits for its rank's event.
 */
#include "coll/worker.h"

#include <sched.h>

#include "base/sync.h"

enum {
    /* Polls by the only thread of a rank, for some microseconds, before it waits for the event. Where ranks share
       processors it yields between two polls: that is one context switch, while to sleep and be woken takes several. */
    POLLS = 256,
    YIELDS = 32
};

static void pause_between_polls(const struct coll *coll)
{
    if (coll->oversubscribed)
        sched_yield();
    else
        sync_relax();
}

static void publish(struct coll *coll, const struct work *work)
{
    if (work->step == STEP_PRODUCE)
        coll->transport->publish(coll, COLL_PARTIALS, work->tile);
    else if (work->step == STEP_REDUCE)
        coll->transport->publish(coll, COLL_SUMS, work->tile);
}

void worker_run(struct schedule *schedule, int thread, worker_do_fn *do_work, void *ctx)
{
    struct coll *coll = schedule->coll;
    const int polls_most = schedule->threads > 1 ? 0 : coll->oversubscribed ? YIELDS : POLLS;
    int polls = 0;        /* in a row */
    bool waiting = false; /* wait_begin has been called, and everything is polled once more */
    uint32_t ticket = 0;
    struct work work = {.step = STEP_NONE};
    while (schedule_claim(schedule, thread, &work) != STEP_STOP) {
        if (work.step != STEP_NONE) {
            if (waiting)
                sync_event_exit(coll->event);
            waiting = false;
            polls = 0;
            do_work(ctx, thread, &work);
            publish(coll, &work);
        } else if (!waiting && polls < polls_most) {
            polls++;
            pause_between_polls(coll);
        } else if (!waiting) {
            ticket = coll->transport->wait_begin(coll);
            waiting = true;
        } else {
            struct error error;
            if (!coll->transport->wait(coll, ticket, &error))
                schedule_fail(schedule, &error);
            waiting = false;
        }
    }
    if (waiting)
        sync_event_exit(coll->event);
    sync_event_notify(coll->event);
}
