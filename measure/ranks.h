/* SPDX-License-Identifier: MIT */
/*
 * ranks.h - one child process per rank: starts them, waits, ends the rest when one fails, passes signals on. A child
 * dies with its parent. This file does not know what the ranks do.
 */
#ifndef MMARN_MEASURE_RANKS_H
#define MMARN_MEASURE_RANKS_H

#include <stdbool.h>
#include <stddef.h>

/* The work of a rank in its own process; the result is its exit status. */
typedef int ranks_fn(int rank, void *context);

struct ranks_outcome {
    int rank;   /* the first rank to fail, or -1 */
    int status; /* its status from waitpid */
    int signal; /* a signal that this command received and passed on, or 0 */
};

/* False when a process could not be started (errno says why); the processes that were started have been ended. */
bool ranks_run(int count, ranks_fn *fn, void *context, struct ranks_outcome *outcome);

/* The exit status as a shell reports it: 0, the rank's exit status, or 128 plus the signal that ended it. */
int ranks_exit_status(const struct ranks_outcome *outcome);

/* "rank 3 ended with exit status 7", "rank 3 was ended by signal 9 (Killed)". Only after a failure. */
void ranks_describe(const struct ranks_outcome *outcome, char *buffer, size_t size);

/* Zeroed memory that ranks forked later share with this process; NULL when memory is short. */
void *ranks_shared_memory(size_t size);
void ranks_shared_free(void *memory, size_t size);

#endif
