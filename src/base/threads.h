/* SPDX-License-Identifier: MIT */
/*
 * threads.h - the threads inside a rank. They are the library's own, shared by all groups of the process: a call
 * borrows a team of them (team.h). There are none before the first group is made and after the last one has gone, none
 * of the parent's in a forked child, and none when the library has been unloaded. OpenMP's variables steer them
 * (openmp.h).
 */
#ifndef MMARN_BASE_THREADS_H
#define MMARN_BASE_THREADS_H

#include <stdbool.h>
#include <stdint.h>

/* Most threads that the user lets a rank have that does not say how many it wants; at least 1. */
int threads_limit(void);

/* Do OpenMP's variables ask for threads to be bound to processors? */
bool threads_bound(void);

/*
 * A group of a rank of so many threads begins, and ends. crowded: its threads outnumber the processors; as long as
 * there is such a group, no thread spins. threads_hold makes the threads that the calling thread's calls will need, and
 * notes (error_note) when they cannot be had: calls then work with fewer.
 */
void threads_hold(int threads, bool crowded);
void threads_drop(bool crowded);

/*
 * Runs fn(ctx, 0) on the calling thread and fn(ctx, thread) on others, with thread in 1 .. threads - 1; returns when
 * all have. Any of the others may be left out, as they cannot be had or would come too late: fn must share out its work
 * as it goes. Outside of threads_hold and threads_drop all are. All threads compute in the environment of
 * base/float_env.h, which the calling thread must have, and use the processors that it could use when it made its first
 * call since the last threads_hold, but where OpenMP's variables bind them. Threads may call this at the same time, and
 * fn may.
 */
void threads_run(int threads, void (*fn)(void *ctx, int thread), void *ctx);

#endif
