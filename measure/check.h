/* SPDX-License-Identifier: MIT */
/* check.h - checks that a workload's results are right, and the same on all ranks. On top of reference/bound.h. */
#ifndef MMARN_MEASURE_CHECK_H
#define MMARN_MEASURE_CHECK_H

#include "data.h"
#include "workload_job.h"

/* In the parent: chooses the rows and allocates the shared memory for them. False when memory is short. */
bool check_prepare(struct job *job);
void check_free(struct job *job);

/* In a rank: adds its share of the reference; then, when all ranks have added theirs, checks its outputs. */
bool check_partials(struct job *job, int rank, const struct data *data);
bool check_compare(const struct job *job, const struct data *data, struct bound_result *result);

/* A hash of y and norm_out: it almost certainly differs if a bit does. */
uint64_t check_hash(const struct workload *workload, const struct data *data);

/* In the parent, at the end: did all ranks get the same bits? */
bool check_bits_equal(const struct job *job);

/* The worst result of all ranks. */
struct bound_result check_worst(const struct job *job);

#endif
