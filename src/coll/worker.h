/* SPDX-License-Identifier: MIT */
/* worker.h - one thread of a rank in one call: it claims work, does it, and waits while there is none. */
#ifndef MMARN_COLL_WORKER_H
#define MMARN_COLL_WORKER_H

#include "coll/schedule.h"

/*
 * Does a piece of work: fills work->buffer (PRODUCE, REDUCE), or uses what has arrived. The worker publishes. Called by
 * all of a rank's threads at the same time, each with work of its own.
 */
typedef void worker_do_fn(void *ctx, int thread, struct work *work);

/* Returns when the call is over for this rank; schedule_end has what came of it. */
void worker_run(struct schedule *schedule, int thread, worker_do_fn *work, void *ctx);

#endif
