/*
 * sync.h - waiting without losing a wake-up: a monotonic clock, deadlines, and the bell, an eventcount over a futex
 * that also works between processes.
 *
 * Whoever changes a word that others wait for stores it seq_cst and then rings; whoever waits enters the bell, loads
 * the word seq_cst, and then sleeps. In the single order of these operations either the waiter sees the change, or the
 * ringer sees the waiter. There are no bare fences, so ThreadSanitizer can follow every edge.
 */
#ifndef MMARN_BASE_SYNC_H
#define MMARN_BASE_SYNC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t sync_now(void);

/* The time at which a wait of timeout_ms that starts now is over; INT64_MAX when timeout_ms is negative. */
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

/* All zeros is a bell that is ready. Many may ring it and many may wait. */
struct sync_bell {
    _Atomic uint32_t count;    /* rings that found a waiter; the futex */
    _Atomic uint32_t waiters;  /* between enter and exit */
    _Atomic uint32_t sleepers; /* of these, those in the kernel or on their way */
};

/* Rings for those who have entered. One load when nobody has. */
void sync_bell_ring(struct sync_bell *bell);

/* Would a ring find somebody? Orders as sync_bell_ring does, so whoever this misses sees what was stored before. */
static inline bool sync_bell_waited_for(const struct sync_bell *bell)
{
    return atomic_load(&bell->waiters) != 0;
}

/* From here on no ring is missed. Returns the ticket that spin and sleep compare with. */
uint32_t sync_bell_enter(struct sync_bell *bell);
void sync_bell_exit(struct sync_bell *bell);

/* Between enter and exit: has the bell rung since the ticket was taken? Looks for at most `nanoseconds`. */
bool sync_bell_spin(struct sync_bell *bell, uint32_t ticket, int64_t nanoseconds);
bool sync_bell_sleep(struct sync_bell *bell, uint32_t ticket, int64_t nanoseconds);

#endif
