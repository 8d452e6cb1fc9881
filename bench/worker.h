/* SPDX-License-Identifier: MIT */
/*
 * worker.h - the interface of one peer to the common main program (worker.c): it prepares a problem, does steps of it,
 * and drops it. Every executable links one peer. Functions that can fail return false after control_fail.
 */
#ifndef MMARN_BENCH_WORKER_H
#define MMARN_BENCH_WORKER_H

#include "control.h"
#include "inputs.h"

/* The whole operator; its matmul alone; an all-reduce of fp32 alone. */
enum step { STEP_OPERATOR, STEP_MATMUL, STEP_REDUCE, STEPS };

/* Called once by every rank; variant is the program's argument, or "". */
bool peer_start(struct member *member, const char *variant);

/* Versions and kernels, for the report. */
void peer_describe(char *text, int size);

/* Collective. After peer_prepare steps are STEP_OPERATOR and STEP_MATMUL; after peer_prepare_reduce STEP_REDUCE. */
bool peer_prepare(struct member *member, const struct problem *problem);
bool peer_prepare_reduce(struct member *member, int64_t count);
void peer_drop(struct member *member);

/* index counts the steps since the problem was prepared. */
bool peer_step(struct member *member, enum step step, int64_t index);

/* The outputs of the prepared problem; or, for an all-reduce, its result and the number of its elements. */
const struct inputs *peer_outputs(void);
const float *peer_reduced(int64_t *count);

void peer_stop(struct member *member);

#endif
