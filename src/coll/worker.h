/* SPDX-License-Identifier: MIT */
/* worker.h - one thread of a rank in one call: it claims work, does it, and waits while there is none. */
#ifndef MMARN_COLL_WORKER_H
#define MMARN_COLL_WORKER_H

#include "coll/schedule.h"

/*
 * Does a piece of work: fills work->buffer (PRODUCE, REDUCE), or uses what has arrived. The worker publishes. All
 * threads of a rank call it at the same time, each with its own work.
 */
typedef void worker_do_fn(void *ctx, int thread, struct work *work);

/* Returns when the call is over for this rank; schedule_end gives the result. */
void worker_run(struct schedule *schedule, int thread, worker_do_fn *work, void *ctx);

#endif
