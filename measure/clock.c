/* SPDX-License-Identifier: MIT */
/*
 * clock.c - CLOCK_MONOTONIC in seconds, with a resolution of nanoseconds even on a machine that has been up for months.
 */
#include "clock.h"

#include <time.h>

double clock_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}
