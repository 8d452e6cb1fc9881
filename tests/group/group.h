/* SPDX-License-Identifier: MIT */
/*
 * group.h - runs a function on every rank of a group, as forked processes or as threads. A rank's function reports
 * failures with EXPECT (support/expect.h).
 */
#ifndef MMARN_TESTS_GROUP_H
#define MMARN_TESTS_GROUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "mmarn/mmarn.h"
#include "support/expect.h"
#include "support/ranks.h"
#include "support/seed.h"

enum group_mode { GROUP_PROCESSES, GROUP_THREADS };

struct group_rank {
    int rank, world_size;
    mmarn_id id;
};

/* False: the rank failed, and has reported the reason with EXPECT. */
typedef bool group_fn(struct group_rank *rank, void *ctx);

/* Runs fn on world_size ranks; true if none has failed, or if the transport under test does not support so many. */
bool group_run(enum group_mode mode, int world_size, group_fn *fn, void *ctx);

/* The same with processes. Calls `during` once they run; it may signal some of them. */
bool group_run_with(int world_size, group_fn *fn, void *ctx, void (*during)(const pid_t *ranks, void *ctx));

/* Joins the rank's group with a deadline of ten seconds. NULL: it failed, which is reported. */
mmarn_comm *group_join(struct group_rank *rank, int threads);

/* A step of these tensors, which lives as long as the enclosing block. */
#define STEP(x1_, residual_, y_, norm_out_)                                                                            \
    (&(mmarn_step){                                                                                                    \
        .struct_size = sizeof(mmarn_step), .x1 = (x1_), .residual = (residual_), .y = (y_), .norm_out = (norm_out_)})

/* A configuration of a call without a matmul. */
#define NORM_CONFIG(gamma_, epsilon_, numerics_)                                                                       \
    (&(mmarn_op_config){                                                                                               \
        .struct_size = sizeof(mmarn_op_config), .gamma = (gamma_), .epsilon = (epsilon_), .numerics = (numerics_)})

#endif
