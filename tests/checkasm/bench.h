/* SPDX-License-Identifier: MIT */
/* bench.h - what the files bench*.c share: timing a statement, and printing a line next to the machine's ceilings. */
#ifndef CHECKASM_BENCH_H
#define CHECKASM_BENCH_H

#include "measure/clock.h"
#include "measure/peak.h"

/* seconds = the best round's time of one execution of `statement`. The best, because disturbances only add time. */
#define BEST_OF(rounds, times, seconds, statement)                                                                     \
    do {                                                                                                               \
        (seconds) = 1e9;                                                                                               \
        for (int round_ = 0; round_ < (rounds); round_++) {                                                            \
            double start_ = clock_seconds();                                                                           \
            for (int time_ = 0; time_ < (times); time_++)                                                              \
                statement;                                                                                             \
            double spent_ = (clock_seconds() - start_) / (times);                                                      \
            (seconds) = spent_ < (seconds) ? spent_ : (seconds);                                                       \
        }                                                                                                              \
    } while (0)

/*
 * Prints one line: rate is work / seconds / 1e9. *plain holds the rate of the first line of its kind (0 before it),
 * with which the others are compared. A ceiling of 0 is left out. Ceilings are the best of one thread.
 */
void bench_line(const char *kernel, const char *what, double seconds, double work, const char *unit, double ceiling,
                double *plain);

/* bench_tile.c */
void bench_tiles(const struct peak *peak);

#endif
