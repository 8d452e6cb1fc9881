/* SPDX-License-Identifier: MIT */
/*
 * team.h - some threads that work for one caller at a time, and the handing over of work to them. They wait where they
 * are not needed: first by looking again for a while, where there is a processor for each, then asleep.
 *
 * A thread that finds itself on the processor of another one of its team moves to a free one that it may use.
 *
 * A call does not wait for a thread that has not begun: when the caller has come to its end, there is nothing left to
 * do. So a thread that wakes up late, or has to share its processor, holds nobody up.
 */
#ifndef MMARN_BASE_TEAM_H
#define MMARN_BASE_TEAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/affinity.h"

/* A function of which fn(ctx, thread) is run by several threads. */
typedef void team_fn(void *ctx, int thread);

struct team;

/* A team without threads; NULL when memory is short. It must have none again when it is freed. */
struct team *team_create(void);
void team_free(struct team *team);

/* Threads besides the caller. */
int team_size(const struct team *team);

/*
 * Makes threads, up to so many, that may run where the calling thread may, have all signals blocked and a stack of
 * their own size, whatever the process's limit. Returns 0, or the error of the first that could not be made; the team
 * then has those before it.
 */
int team_grow(struct team *team, int size);

/* Moves a thread, 1 .. team_size. One that may not be moved there stays where it is. */
void team_place(struct team *team, int thread, const struct affinity *mask);

/*
 * Runs fn(ctx, 0) on the calling thread and fn(ctx, thread) on those of the threads 1 .. threads - 1 that begin before
 * that has returned; returns when all have. spin: may threads look again for a while before they sleep?
 */
void team_run(struct team *team, int threads, bool spin, team_fn *fn, void *ctx);

/* Ends the threads and waits for them. */
void team_stop(struct team *team);

/* In the child of a fork, where the team's threads do not exist, whatever they were doing. Async-signal-safe. */
void team_forget(struct team *team);

#endif
