/* SPDX-License-Identifier: MIT */
/* clock.h - the time of a clock that never goes back and is the same in all processes. */
#ifndef MMARN_MEASURE_CLOCK_H
#define MMARN_MEASURE_CLOCK_H

double clock_seconds(void);

#endif
