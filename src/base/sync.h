/* SPDX-License-Identifier: MIT */
/*
 * sync.h - waiting without losing a wake-up: a monotonic clock, deadlines, and the event, an eventcount over a futex
 * that also works between processes.
 *
 * Whoever changes a word that others wait for stores it seq_cst and then notifies; whoever waits enters the event,
 * loads the word seq_cst, and then sleeps. In the single order of these operations either the waiter sees the change,
 * or the ringer sees the waiter. There are no bare fences, so ThreadSanitizer can follow every edge.
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

/* Tells the processor that this thread is spinning. */
static inline void sync_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#endif
}

/* An event count; all zeros is one that is ready. Many may notify it and many may wait. */
struct sync_event {
    _Atomic uint32_t count;    /* notifications that found a waiter; the futex */
    _Atomic uint32_t waiters;  /* between enter and exit */
    _Atomic uint32_t sleepers; /* of these, those in the kernel or on their way */
};

/* Notifies those who have entered. One load when nobody has. */
void sync_event_notify(struct sync_event *event);

/* Would a notification find somebody? Orders as sync_event_notify does, so whoever this misses sees what was stored
 * before. */
static inline bool sync_event_waited_for(const struct sync_event *event)
{
    return atomic_load(&event->waiters) != 0;
}

/* From here on no notification is missed. Returns the ticket that spin and sleep compare with. */
uint32_t sync_event_enter(struct sync_event *event);
void sync_event_exit(struct sync_event *event);

/* Between enter and exit: was the event notified since the ticket was taken? Looks for at most `nanoseconds`. */
bool sync_event_spin(struct sync_event *event, uint32_t ticket, int64_t nanoseconds);
bool sync_event_sleep(struct sync_event *event, uint32_t ticket, int64_t nanoseconds);

#endif
