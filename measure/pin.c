/* SPDX-License-Identifier: MIT */
/* pin.c - see pin.h. */
#include "pin.h"

void pin_to(const cpu_set_t *allowed, int first, int count)
{
    cpu_set_t own;
    int place = 0;

    CPU_ZERO(&own);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET((size_t)cpu, allowed))
            continue;
        if (place >= first && place < first + count)
            CPU_SET((size_t)cpu, &own);
        place++;
    }
    if (CPU_COUNT(&own) > 0)
        sched_setaffinity(0, sizeof(own), &own);
}
