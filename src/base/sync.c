/* SPDX-License-Identifier: MIT */
/*
 * sync.c - the event count and the clock. The futex is a shared one, because event counts lie in memory that several
 * processes have mapped. Every operation on an event count is seq_cst; sync.h says why.
 */
#include "base/sync.h"

#include <assert.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(_Atomic uint32_t) == 4 && ATOMIC_INT_LOCK_FREE == 2, "the futex word must be a plain 32 bits");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "atomics between processes must not need a lock");

enum { NANOSECONDS_PER_MS = 1000000, NANOSECONDS_PER_S = 1000000000, SPINS_PER_CLOCK = 16 };

int64_t sync_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NANOSECONDS_PER_S + now.tv_nsec;
}

int64_t sync_deadline(int timeout_ms)
{
    return timeout_ms < 0 ? INT64_MAX : sync_now() + (int64_t)timeout_ms * NANOSECONDS_PER_MS;
}

void sync_event_notify(struct sync_event *event)
{
    /* Pairs with the increment in enter: a waiter that this load misses will see what was stored before it. */
    if (!sync_event_waited_for(event))
        return;
    atomic_fetch_add(&event->count, 1);
    /* Pairs with the increment in sleep: a sleeper that this load misses finds the new count and does not sleep. */
    if (atomic_load(&event->sleepers))
        syscall(SYS_futex, &event->count, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

uint32_t sync_event_enter(struct sync_event *event)
{
    atomic_fetch_add(&event->waiters, 1);
    return atomic_load(&event->count);
}

void sync_event_exit(struct sync_event *event)
{
    const uint32_t waiters = atomic_fetch_sub(&event->waiters, 1);
    assert(waiters > 0);
    (void)waiters;
}

bool sync_event_spin(struct sync_event *event, uint32_t ticket, int64_t nanoseconds)
{
    assert(nanoseconds >= 0 && sync_event_waited_for(event));
    int64_t end = sync_now() + nanoseconds;
    do {
        for (int i = 0; i < SPINS_PER_CLOCK; i++) {
            if (atomic_load(&event->count) != ticket)
                return true;
            sync_relax();
        }
    } while (sync_now() < end);
    return false;
}

bool sync_event_sleep(struct sync_event *event, uint32_t ticket, int64_t nanoseconds)
{
    struct timespec span = {nanoseconds / NANOSECONDS_PER_S, nanoseconds % NANOSECONDS_PER_S};
    assert(nanoseconds >= 0 && sync_event_waited_for(event));
    atomic_fetch_add(&event->sleepers, 1);
    /* The reason for its return does not matter (notified, time over, a signal, a count that has moved on): the count
       decides. */
    syscall(SYS_futex, &event->count, FUTEX_WAIT, ticket, &span, NULL, 0);
    atomic_fetch_sub(&event->sleepers, 1);
    return atomic_load(&event->count) != ticket;
}
