/* SPDX-License-Identifier: MIT */
/*
 * team.h - threads that work for one caller at a time, and the hand-over of work to them. When they are not needed they
 * wait: first they spin for a while, if there is a processor for each, then they sleep.
 *
 * A call does not wait for a thread that has not begun: when the caller has finished its part, no work is left. So a
 * thread that wakes up late, or has to share its processor, delays no other.
 */
#ifndef MMARN_BASE_TEAM_H
#define MMARN_BASE_TEAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/affinity.h"

/* A function that several threads run as fn(ctx, thread). */
typedef void team_fn(void *ctx, int thread);

struct team;

/* A team without threads; NULL when memory is short. All its threads must have been stopped before it is freed. */
struct team *team_create(void);
void team_free(struct team *team);

/* The number of threads, not counting the caller. */
int team_size(const struct team *team);

/*
 * Makes threads, up to this number. They may run where the calling thread may, have all signals blocked, and have a
 * stack of their own size, whatever the process's limit. Returns 0, or the error of the first thread that could not be
 * made; the team then has those before it.
 */
int team_grow(struct team *team, int size);

/* Moves thread 1 .. team_size. A thread that may not be moved there stays where it is. */
void team_place(struct team *team, int thread, const struct affinity *mask);

/*
 * Runs fn(ctx, 0) on the calling thread, and fn(ctx, thread) on those of the threads 1 .. threads - 1 that begin before
 * fn(ctx, 0) has returned; returns when all have returned. spin: may threads spin for a while before they sleep?
 */
void team_run(struct team *team, int threads, bool spin, team_fn *fn, void *ctx);

/* Ends the threads and waits for them. */
void team_stop(struct team *team);

/* In the child of a fork, where the team's threads do not exist, whatever they were doing. Async-signal-safe. */
void team_forget(struct team *team);

#endif
