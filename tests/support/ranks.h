/* SPDX-License-Identifier: MIT */
/*
 * ranks.h - ranks as threads or as forked processes, the memory that they share, and the transport that they use. What
 * a rank does is the caller's. For programs that are linked with the library's internal names.
 */
#ifndef MMARN_TESTS_RANKS_H
#define MMARN_TESTS_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* False: the rank failed, and has said why with expect.h. */
typedef bool ranks_fn(int rank, void *ctx);

/* Runs `count` ranks as threads and waits for them. True if all returned true. */
bool ranks_run_threads(int first, int count, ranks_fn *fn, void *ctx);

/* Starts a rank as a process, which exits with 0 if it has reported no failure. One that hangs is ended by an alarm. */
pid_t ranks_fork(int rank, ranks_fn *fn, void *ctx);

/* Waits for a child. Returns its exit code, or minus the signal that ended it. */
int ranks_wait(pid_t child);

/* Zeroed memory that forked ranks share with the test. */
void *ranks_shared(size_t size);
void ranks_shared_free(void *memory, size_t size);

/*
 * The transport under test: MMARN_TEST_TRANSPORT, or NULL for the usual one; and whether it supports groups of this
 * many ranks. A name that no transport has ends the program.
 */
const char *ranks_transport(void);
bool ranks_transport_serves(int world_size);

void ranks_sleep(int ms);

/* Seconds on a clock that all ranks share. */
double ranks_seconds(void);

#endif
