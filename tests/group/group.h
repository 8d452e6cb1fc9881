/* SPDX-License-Identifier: MIT */
/*
 * group.h - runs a function on every rank of a group, as forked processes or as threads, and gathers the failures. A
 * rank's function uses EXPECT, never cmocka's assertions: those jump, and must stay in the test's own process.
 */
#ifndef MMARN_TESTS_GROUP_H
#define MMARN_TESTS_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "mmarn/mmarn.h"
#include "support/seed.h"

enum group_mode { GROUP_PROCESSES, GROUP_THREADS };

struct group_rank {
    int rank, world_size;
    mmarn_id id;
    char *failure; /* 512 characters, "" unless the rank has failed */
};

/* False: the rank failed, and has noted the reason with EXPECT. */
typedef bool group_fn(struct group_rank *rank, void *ctx);

/* Runs fn on world_size ranks and prints every failure; true if there was none. A hung rank is ended after a minute. */
bool group_run(enum group_mode mode, int world_size, group_fn *fn, void *ctx);

/* The same with processes. Calls `during` once they run; it may signal some of them. */
bool group_run_with(int world_size, group_fn *fn, void *ctx, void (*during)(const pid_t *ranks, void *ctx));

/* Memory that forked ranks share with the test; zeroed. */
void *group_shared(size_t size);
void group_shared_free(void *memory, size_t size);

/*
 * The transport under test: MMARN_TEST_TRANSPORT, or NULL for the library's choice; and whether it supports this many
 * ranks. group_run skips groups that it does not support.
 */
const char *group_transport(void);
bool group_serves(int world_size);

/* Joins the rank's group with a deadline of ten seconds. NULL: failed, reason noted. */
mmarn_comm *group_join(struct group_rank *rank, int threads);

bool group_fail(struct group_rank *rank, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Returns false from the rank's function if the condition does not hold. */
#define EXPECT(rank, condition, ...)                                                                                   \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            return group_fail(rank, __VA_ARGS__);                                                                      \
    } while (0)

/* The call must return the status; if it does not, the error's sentence is shown. */
#define EXPECT_STATUS(rank, call, expected)                                                                            \
    do {                                                                                                               \
        mmarn_status got = (call);                                                                                     \
        if (got != (expected))                                                                                         \
            return group_fail(rank, "%s:%d: %s (%s) instead of %s", __FILE__, __LINE__, mmarn_status_string(got),      \
                              mmarn_last_error(), mmarn_status_string(expected));                                      \
    } while (0)

/* A step of these tensors, which lives as long as the enclosing block. */
#define STEP(x1_, residual_, y_, norm_out_)                                                                            \
    (&(mmarn_step){                                                                                                    \
        .struct_size = sizeof(mmarn_step), .x1 = (x1_), .residual = (residual_), .y = (y_), .norm_out = (norm_out_)})

/* A configuration of a call without a matmul. */
#define NORM_CONFIG(gamma_, epsilon_, numerics_)                                                                       \
    (&(mmarn_op_config){                                                                                               \
        .struct_size = sizeof(mmarn_op_config), .gamma = (gamma_), .epsilon = (epsilon_), .numerics = (numerics_)})

/* Seconds on a clock that all ranks share. */
double group_seconds(void);

#endif
