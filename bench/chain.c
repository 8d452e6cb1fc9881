/* SPDX-License-Identifier: MIT */
/*
 * chain.c - the operator as a user without MMARN writes it: the matmul of one library, the all-reduce of another, and
 * one loop for the rest. Each part is timed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "add_norm.h"
#include "comm.h"
#include "matmul.h"
#include "measure/clock.h"
#include "worker.h"

static struct {
    struct problem problem;
    struct inputs inputs;
    struct matmul *matmul;
    int32_t wire; /* dtype of the partial sums */
    void *partial;
    int64_t count; /* of an all-reduce */
    float *reduced;
} chain;

bool peer_start(struct member *member, const char *variant)
{
    return comm_start(member, variant);
}

void peer_describe(char *text, int size)
{
    char matmul[128], comm[96];
    matmul_describe(matmul, sizeof(matmul));
    comm_describe(comm, sizeof(comm));
    snprintf(text, (size_t)size, "%s; %s", matmul, comm);
}

bool peer_prepare(struct member *member, const struct problem *problem)
{
    chain.problem = *problem;
    chain.wire = inputs_out_type(problem->type);
    if (!comm_carries(chain.wire))
        chain.wire = MMARN_F32;
    chain.partial = malloc(sizeof(float) * (size_t)(problem->rows * problem->n));
    if (chain.partial == NULL || !inputs_make(problem, member->rank, member->world, matmul_turned(), &chain.inputs))
        return control_fail(member, "there is no memory for the tensors");
    chain.matmul = matmul_create(member, problem, &chain.inputs, &chain.wire);
    return chain.matmul != NULL;
}

static void fill_reduced(struct member *member)
{
    for (int64_t i = 0; i < chain.count; i++)
        chain.reduced[i] = (float)(i % 1000 + member->rank);
}

bool peer_prepare_reduce(struct member *member, int64_t count)
{
    chain.count = count;
    chain.reduced = malloc(sizeof(float) * (size_t)count);
    if (chain.reduced == NULL)
        return control_fail(member, "there is no memory for the tensors");
    fill_reduced(member);
    return true;
}

void peer_drop(struct member *member)
{
    (void)member;
    matmul_destroy(chain.matmul);
    free(chain.partial);
    free(chain.reduced);
    chain.matmul = NULL;
    chain.partial = NULL;
    chain.reduced = NULL;
    inputs_free(&chain.inputs);
}

/*
 * The time at which the last rank's matmul ended. All stamps are there once the all-reduce is done; two sets take
 * turns.
 */
static double last_stamp(const struct member *member, const double *stamps)
{
    double last = 0.0;
    for (int rank = 0; rank < member->world; rank++)
        if (stamps[rank] > last)
            last = stamps[rank];
    return last;
}

static bool run(struct member *member, int64_t index)
{
    const struct add_norm rest = {.rows = chain.problem.rows,
                                  .n = chain.problem.n,
                                  .wire = chain.wire,
                                  .dtype = inputs_out_type(chain.problem.type),
                                  .mm_out = chain.partial,
                                  .residual = chain.inputs.residual,
                                  .gamma = chain.inputs.gamma,
                                  .y = chain.inputs.y,
                                  .norm_out = chain.inputs.norm_out,
                                  .epsilon = (float)INPUTS_EPSILON,
                                  .threads = member->threads};
    double *parts = member->control->parts[member->rank], *stamps = member->control->stamps[index % 2];
    const double start = clock_seconds();
    double multiplied, reduced, waited;

    if (!matmul_run(chain.matmul, index % chain.problem.copies, chain.inputs.x1, chain.partial))
        return control_fail(member, "the matmul failed");
    multiplied = stamps[member->rank] = clock_seconds();
    if (!comm_all_reduce(chain.partial, chain.wire, chain.problem.rows * chain.problem.n))
        return control_fail(member, "the all-reduce failed");
    reduced = clock_seconds();
    waited = last_stamp(member, stamps) - multiplied;
    add_norm_run(&rest);
    parts[PART_MATMUL] += multiplied - start;
    parts[PART_WAIT] += waited;
    parts[PART_REDUCE] += reduced - multiplied - waited;
    parts[PART_NORM] += clock_seconds() - reduced;
    return true;
}

bool peer_step(struct member *member, enum step step, int64_t index)
{
    if (step == STEP_OPERATOR)
        return run(member, index);
    if (step == STEP_MATMUL)
        return matmul_run(chain.matmul, index % chain.problem.copies, chain.inputs.x1, chain.partial) ||
               control_fail(member, "the matmul failed");
    /* In place, so sums grow from step to step, and a dump must be taken of the first step. */
    return comm_all_reduce(chain.reduced, MMARN_F32, chain.count) || control_fail(member, "the all-reduce failed");
}

const struct inputs *peer_outputs(void)
{
    return &chain.inputs;
}

const float *peer_reduced(int64_t *count)
{
    *count = chain.count;
    return chain.reduced;
}

void peer_stop(struct member *member)
{
    (void)member;
    comm_stop();
}
