/* SPDX-License-Identifier: MIT */
/* threads_helper.h - calls of threads_run that show which threads took part, and whether all work was done. */
#ifndef MMARN_TESTS_THREADS_HELPER_H
#define MMARN_TESTS_THREADS_HELPER_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/affinity.h"
#include "base/threads.h"

enum { MOST = 8, PATIENCE_MS = 20000 };

/* A call in which this many threads wait for each other, and each notes that it was there. */
struct meeting {
    int expected;
    atomic_int came;
    int times[MOST]; /* by thread; plain, so that a race would be detected */
    struct affinity masks[MOST];
    sigset_t blocked[MOST];
};

/* For threads_run, with a meeting that says how many are expected. */
void meet(void *meeting, int thread);

/* Asks for so many, of whom so many come. */
struct meeting meet_with(int threads, int expected);

/* Did exactly those come, each once? */
bool all_came(const struct meeting *meeting);

/* Divides up to 1000 items: true if each has been done once, and no thread still works on one. */
bool work_is_done(int threads, int items);

#endif
