/* SPDX-License-Identifier: MIT */
/* threads_helper.c - threads that wait for each other, and threads that divide work among them. */
#include "threads_helper.h"

#include <pthread.h>
#include <sched.h>

#include "base/sync.h"

void meet(void *ctx, int thread)
{
    struct meeting *meeting = ctx;
    meeting->times[thread]++;
    affinity_get(&meeting->masks[thread]);
    pthread_sigmask(SIG_BLOCK, NULL, &meeting->blocked[thread]);
    atomic_fetch_add(&meeting->came, 1);
    const int64_t deadline = sync_deadline(PATIENCE_MS);
    while (atomic_load(&meeting->came) < meeting->expected && sync_now() < deadline)
        sched_yield();
}

struct meeting meet_with(int threads, int expected)
{
    struct meeting meeting = {.expected = expected};
    threads_run(threads, meet, &meeting);
    return meeting;
}

bool all_came(const struct meeting *meeting)
{
    for (int i = 0; i < MOST; i++)
        if (meeting->times[i] != (i < meeting->expected))
            return false;
    return atomic_load(&meeting->came) == meeting->expected;
}

struct work {
    int items;
    atomic_int next;
    int done[1000]; /* plain, so that the caller must see what others have done when the call is over */
    atomic_int inside;
};

static void work_some(void *ctx, int thread)
{
    struct work *work = ctx;
    (void)thread;
    atomic_fetch_add(&work->inside, 1);
    int i;
    while ((i = atomic_fetch_add_explicit(&work->next, 1, memory_order_relaxed)) < work->items)
        work->done[i]++;
    atomic_fetch_sub(&work->inside, 1);
}

bool work_is_done(int threads, int items)
{
    struct work work = {.items = items};
    threads_run(threads, work_some, &work);
    bool ok = atomic_load(&work.inside) == 0;
    for (int i = 0; i < items; i++)
        ok = ok && work.done[i] == 1;
    return ok;
}
