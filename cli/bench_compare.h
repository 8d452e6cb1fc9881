/* SPDX-License-Identifier: MIT */
/*
 * bench_compare.h - an earlier report of mmarn bench --json, and how a case of this run compares with the same case
 * there.
 */
#ifndef MMARN_CLI_BENCH_COMPARE_H
#define MMARN_CLI_BENCH_COMPARE_H

#include "measure/figures.h"

struct bench_old {
    char *text; /* NULL: there is no report to compare with */
    const char *root, *cases;
};

/* The earlier time of a case / today's: above 1, today is faster. Least and most are those of any two rounds. All are
   NaN if the report does not have the case, and the last two if an older version wrote it, which kept no rounds. */
struct bench_ratio {
    double old_seconds, ratio, least, most;
};

/* Reads the report. False: the reason has been printed. */
bool bench_old_read(struct bench_old *old, const char *path);
void bench_old_free(struct bench_old *old);

struct bench_ratio bench_old_ratio(const struct bench_old *old, const char *name, const struct figures *figures);

/* Is the report of this machine, as far as its name tells? */
bool bench_old_same_machine(const struct bench_old *old);

#endif
