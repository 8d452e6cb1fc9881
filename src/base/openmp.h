/* SPDX-License-Identifier: MIT */
/*
 * openmp.h - the environment variables of OpenMP that control the threads of a rank, as users expect; the library uses
 * nothing else of OpenMP. They are read once, when they are first needed. A variable that is not well-formed counts as
 * not set.
 *
 *   OMP_NUM_THREADS    most threads of a rank that does not say how many it wants; of a list the first number
 *   OMP_THREAD_LIMIT   most threads of any rank
 *   OMP_PROC_BIND      false; true or close: a team's threads are bound to neighbouring places; spread: to distant
 *                      ones; primary or master: all to one; of a list the first word
 *   OMP_PLACES         threads, cores or sockets, with a number of places behind it, as in cores(4); or a list, as in
 *                      {0,1},{2:2},{4:2}:2:2. Its other words and ! are not known. Binds by itself
 *   GOMP_CPU_AFFINITY  processors, each a place, as in "0 3 4-8:2", where OMP_PLACES is not set. Binds by itself
 */
#ifndef MMARN_BASE_OPENMP_H
#define MMARN_BASE_OPENMP_H

#include <stdbool.h>

#include "base/affinity.h"

enum openmp_bind { OPENMP_FREE, OPENMP_CLOSE, OPENMP_SPREAD, OPENMP_PRIMARY };

struct openmp {
    int num_threads, thread_limit; /* 0: not set */
    enum openmp_bind bind;
    const char *places, *processors; /* OMP_PLACES and GOMP_CPU_AFFINITY; NULL: not set */
};

/* The process's variables, and the same from any source: get is like getenv, and what it returns must stay valid. */
const struct openmp *openmp_variables(void);
struct openmp openmp_read(const char *(*get)(const char *name));

/* Where the threads of a team may run. */
struct openmp_places {
    int count;
    struct affinity *masks;
};

/*
 * The variables' places within a mask, none of them empty. There are no places if threads are not to be bound, or
 * memory is short.
 */
struct openmp_places openmp_places_within(const struct openmp *variables, const struct affinity *mask);
void openmp_places_free(struct openmp_places *places);

/* The place of one of a team's threads; there must be places. */
const struct affinity *openmp_place(const struct openmp *variables, const struct openmp_places *places, int thread,
                                    int threads);

#endif
