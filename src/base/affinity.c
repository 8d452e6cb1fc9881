/* SPDX-License-Identifier: MIT */
/*
 * affinity.c - which processors a thread may use, and moving it among them. Affinity masks and the quotas of control
 * groups limit the processors; where OpenMP's variables bind the threads of a rank, their places do too.
 */
#include "base/affinity.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/openmp.h"
#include "base/quota.h"

int cpu_allowed(void)
{
    struct affinity mask;
    if (affinity_get(&mask))
        return affinity_count(&mask);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

double cpu_quota(void)
{
    return quota_read("").processors;
}

int cpu_count(void)
{
    const int most = cpu_allowed();
    const double quota = ceil(cpu_quota());
    return quota > 0 && quota < most ? (int)quota : most;
}

int cpu_share(int ranks)
{
    assert(ranks > 0);
    const int share = cpu_count() / ranks;
    return share > 0 ? share : 1;
}

/*
 * The processors that the thread could be allowed to use: all of them, except those that its control group withholds.
 */
static int count_reachable(void)
{
    struct affinity own, all;
    if (!affinity_get(&own))
        return 0;
    memset(&all, 0xff, sizeof all);
    if (!affinity_set(&all) || !affinity_get(&all))
        all = own;
    affinity_set(&own);
    return affinity_count(&all);
}

bool cpu_crowded(int ranks, const uint64_t *mask, int words, bool bound, char *sentence, size_t size)
{
    int processors = 0, last = 0;
    for (int i = 0; i < words * 64; i++)
        if (mask[i / 64] >> i % 64 & 1) {
            processors++;
            last = i;
        }
    if (processors == 0 || processors >= ranks || (processors > 1 && !bound))
        return false;
    const int reachable = count_reachable();
    if (reachable <= processors)
        return false;
    const int used = snprintf(sentence, size, "all %d ranks are bound to ", ranks);
    sentence += used;
    size -= (size_t)used;
    if (processors == 1)
        snprintf(sentence, size, "processor %d, though there are %d; ", last, reachable);
    else
        snprintf(sentence, size, "the same %d processors, though there are %d; ", processors, reachable);
    snprintf(sentence + strlen(sentence), size - strlen(sentence), "%s",
             bound ? "OpenMP's variables do that (OMP_PROC_BIND, OMP_PLACES, GOMP_CPU_AFFINITY): unset them, or give "
                     "each rank processors of its own"
                   : "an affinity mask does that (taskset): give each rank processors of its own");
    return true;
}

void cpu_mask(int threads, uint64_t *mask, int words)
{
    struct affinity own;
    memset(mask, 0, (size_t)words * sizeof *mask);
    if (!affinity_get(&own))
        return;
    struct openmp_places places = openmp_places_within(openmp_variables(), &own);
    if (threads > 1 && places.count > 0) {
        memset(&own, 0, sizeof own);
        for (int thread = 0; thread < threads; thread++) {
            const struct affinity *place = openmp_place(openmp_variables(), &places, thread, threads);
            CPU_OR_S(sizeof own, own.sets, own.sets, place->sets);
        }
    }
    openmp_places_free(&places);
    for (int i = 0; i < words * 64; i++)
        mask[i / 64] |= (uint64_t)affinity_has(&own, i) << i % 64;
}

int cpu_current(void)
{
    return sched_getcpu();
}

void cpu_avoid(const int *taken, int count)
{
    struct affinity own, others;
    if (!affinity_get(&own))
        return;
    others = own;
    for (int i = 0; i < count; i++)
        if (taken[i] >= 0)
            CPU_CLR_S((size_t)taken[i], sizeof others, others.sets);
    /* The system moves a thread at once if its processor is forbidden, and does not move it back. */
    if (affinity_count(&others) > 0 && affinity_set(&others))
        affinity_set(&own);
}
