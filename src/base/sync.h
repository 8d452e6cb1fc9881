/* SPDX-License-Identifier: MIT */
/*
 * sync.h - waiting without losing a wake-up: a monotonic clock, deadlines, and struct sync_event, an event count over a
 * futex that also works between processes.
 *
 * A thread that changes a word that others wait for stores it seq_cst and then notifies. A thread that waits enters the
 * event count, loads the word seq_cst, and then sleeps. In the single order of these operations either the waiter sees
 * the change, or the notifier sees the waiter. There are no bare fences, so ThreadSanitizer can follow every edge.
 */
#ifndef MMARN_BASE_SYNC_H
#define MMARN_BASE_SYNC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t sync_now(void);

/* The time at which a wait of timeout_ms that starts now ends; INT64_MAX when timeout_ms is negative. */
int64_t sync_deadline(int timeout_ms);

/*
 * How long a waiter spins before it sleeps: longer than the time between most calls, and than a sleep and its wake-up
 * take. Where threads share processors, spinning keeps others from the work that is waited for.
 */
enum { SYNC_SPIN_NS = 50000, SYNC_SPIN_SHARED_NS = 1000 };

/* Tells the processor that this thread is spinning. */
static inline void sync_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#endif
}

/* An event count. All zeros is one that is ready. Many threads may notify it and many may wait. */
struct sync_event {
    _Atomic uint32_t count;    /* notifications that found a waiter; the futex */
    _Atomic uint32_t waiters;  /* between enter and exit */
    _Atomic uint32_t sleepers; /* of these, those in the kernel or on their way */
};

/* Notifies those who have entered. One load if nobody has. */
void sync_event_notify(struct sync_event *event);

/*
 * Would a notification find a waiter? Orders as sync_event_notify does, so a waiter that this misses sees what was
 * stored before.
 */
static inline bool sync_event_waited_for(const struct sync_event *event)
{
    return atomic_load(&event->waiters) != 0;
}

/* From here on no notification is missed. Returns the ticket that spin and sleep compare with. */
uint32_t sync_event_enter(struct sync_event *event);
void sync_event_exit(struct sync_event *event);

/* Between enter and exit: was the event notified since the ticket was taken? Spins for at most `nanoseconds`. */
bool sync_event_spin(struct sync_event *event, uint32_t ticket, int64_t nanoseconds);
bool sync_event_sleep(struct sync_event *event, uint32_t ticket, int64_t nanoseconds);

#endif
