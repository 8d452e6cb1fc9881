/* SPDX-License-Identifier: MIT */
/*
 * rounds.h - several workloads that take turns for some rounds, so that a disturbance of the machine does not affect
 * only one of them.
 */
#ifndef MMARN_MEASURE_ROUNDS_H
#define MMARN_MEASURE_ROUNDS_H

#include "figures.h"

enum { ROUNDS = 3, ROUNDS_WORKLOADS = 16 };

/*
 * Runs figures[i].workload for `count` workloads, at most ROUNDS_WORKLOADS, once in each round. Their results have the
 * median times of the rounds, and the repeats of all. Returns EXIT_OK, or the status to exit with after a failure that
 * has been reported.
 */
int rounds_run(struct figures *figures, int count);

#endif
