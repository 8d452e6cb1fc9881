/* SPDX-License-Identifier: MIT */
/*
 * affinity.h - sets of processors, in the form of the system's affinity masks. Their uses are in cpu.h, for the calling
 * thread, and in openmp.h, for a team of threads.
 */
#ifndef MMARN_BASE_AFFINITY_H
#define MMARN_BASE_AFFINITY_H

#include <assert.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>

/* Space for 8192 processors: the system refuses a mask smaller than its own, and cpu_set_t ends at 1024. */
struct affinity {
    cpu_set_t sets[8];
};

enum { AFFINITY_PROCESSORS = (int)sizeof(struct affinity) * 8 };

/* The calling thread's. */
static inline bool affinity_get(struct affinity *mask)
{
    return sched_getaffinity(0, sizeof mask->sets, mask->sets) == 0;
}

static inline bool affinity_set(const struct affinity *mask)
{
    return sched_setaffinity(0, sizeof mask->sets, mask->sets) == 0;
}

static inline int affinity_count(const struct affinity *mask)
{
    return CPU_COUNT_S(sizeof mask->sets, mask->sets);
}

static inline bool affinity_has(const struct affinity *mask, int processor)
{
    return processor >= 0 && processor < AFFINITY_PROCESSORS &&
           CPU_ISSET_S((size_t)processor, sizeof *mask, mask->sets);
}

static inline void affinity_add(struct affinity *mask, int processor)
{
    assert(processor >= 0 && processor < AFFINITY_PROCESSORS);
    CPU_SET_S((size_t)processor, sizeof mask->sets, mask->sets);
}

static inline bool affinity_same(const struct affinity *a, const struct affinity *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

#endif
