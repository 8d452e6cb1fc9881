/*
 * threads.h - the threads inside a rank: OpenMP's, so that OMP_NUM_THREADS and its affinity variables steer them as
 * users expect. Without OpenMP there is one.
 */
#ifndef MMARN_BASE_THREADS_H
#define MMARN_BASE_THREADS_H

/* Most threads that threads_run can be asked for to good effect; at least 1. */
int threads_limit(void);

/*
 * Runs fn(ctx, thread) on the calling thread and up to threads - 1 more, thread = 0 .. count - 1, and returns when all
 * have. The runtime may grant fewer than asked for: fn must share out its work as it goes. All threads compute in the
 * environment of base/float_env.h, which the calling thread must have.
 */
void threads_run(int threads, void (*fn)(void *ctx, int thread), void *ctx);

#endif
