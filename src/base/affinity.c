/*
 * affinity.c - which processors a thread may use, and moving it among them. Three things have a say: the affinity mask,
 * the OpenMP runtime, which may narrow the mask of a thread and keep other processors for that thread's team, and
 * control groups' quotas.
 */
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/quota.h"
#include "base/threads.h"

/* Room for 8192 processors: the system refuses a mask smaller than its own, and cpu_set_t ends at 1024. */
struct mask {
    cpu_set_t sets[8];
};

static bool get_mask(struct mask *mask)
{
    return sched_getaffinity(0, sizeof mask->sets, mask->sets) == 0;
}

static bool set_mask(const struct mask *mask)
{
    return sched_setaffinity(0, sizeof mask->sets, mask->sets) == 0;
}

static int count_of(const struct mask *mask)
{
    return CPU_COUNT_S(sizeof mask->sets, mask->sets);
}

static void add_processor(void *ctx, int processor)
{
    struct mask *mask = ctx;
    if (processor >= 0 && processor < (int)sizeof mask->sets * 8)
        CPU_SET_S((size_t)processor, sizeof mask->sets, mask->sets);
}

/* What the thread had before the runtime bound it: the runtime looks at the mask once, and makes places of it. */
static bool get_unbound_mask(struct mask *mask)
{
    if (!get_mask(mask))
        return false;
    threads_places(add_processor, mask);
    return true;
}

int cpu_allowed(void)
{
    struct mask mask;
    if (get_unbound_mask(&mask))
        return count_of(&mask);
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
    const int share = cpu_count() / ranks;
    return share > 0 ? share : 1;
}

bool cpu_bound(void)
{
    return threads_bound();
}

void cpu_unbind(void)
{
    struct mask mask;
    if (get_unbound_mask(&mask))
        set_mask(&mask);
}

/* Processors that the thread would be let use: all that it asks for, but for those that its control group withholds. */
static int count_reachable(void)
{
    struct mask own, all;
    if (!get_mask(&own))
        return 0;
    memset(&all, 0xff, sizeof all);
    if (!set_mask(&all) || !get_mask(&all))
        all = own;
    set_mask(&own);
    return count_of(&all);
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
             bound ? "OpenMP's variables do that (OMP_PROC_BIND, GOMP_CPU_AFFINITY, KMP_AFFINITY): unset them, or give "
                     "each rank processors of its own"
                   : "an affinity mask does that (taskset): give each rank processors of its own");
    return true;
}

void cpu_mask(uint64_t *mask, int words)
{
    if (sched_getaffinity(0, (size_t)words * sizeof *mask, (cpu_set_t *)mask) < 0)
        memset(mask, 0, (size_t)words * sizeof *mask);
}

int cpu_current(void)
{
    return sched_getcpu();
}

void cpu_avoid(const int *taken, int count)
{
    struct mask own, others;
    if (!get_mask(&own))
        return;
    others = own;
    for (int i = 0; i < count; i++)
        if (taken[i] >= 0)
            CPU_CLR_S((size_t)taken[i], sizeof others, others.sets);
    /* The system moves a thread at once when its processor is forbidden, and does not move it back. */
    if (count_of(&others) > 0 && set_mask(&others))
        set_mask(&own);
}
