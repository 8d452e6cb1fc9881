/* SPDX-License-Identifier: MIT */
/*
 * workload_rank.c - what one rank of a workload does in its own process: data, group, operators, timing, check. Every
 * step that fails writes the reason into the job and returns false; the parent shows it and ends the other ranks.
 */
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "clock.h"
#include "data.h"
#include "described.h"
#include "exit_status.h"
#include "form.h"
#include "operator.h"
#include "progress.h"
#include "workload_job.h"

struct rank {
    struct job *job;
    const struct workload *workload;
    int number;
    struct data data;
    mmarn_comm *comm;
    mmarn_op **ops; /* as many as workload->operators */
};

/* Rank 0 shows progress for all. */
#define SHOW(rank, ...)                                                                                                \
    do {                                                                                                               \
        if ((rank)->number == 0)                                                                                       \
            progress_show(__VA_ARGS__);                                                                                \
    } while (0)

static bool fail(struct rank *rank, mmarn_status status, const char *sentence)
{
    struct job_rank *mine = &rank->job->rank[rank->number];
    mine->status = status;
    snprintf(mine->sentence, sizeof(mine->sentence), "%s", sentence);
    return false;
}

static bool check_status(struct rank *rank, mmarn_status status)
{
    return status == MMARN_OK || fail(rank, status, mmarn_last_error());
}

static bool make_data(struct rank *rank)
{
    SHOW(rank, "making data");
    rank->ops = calloc((size_t)rank->workload->operators, sizeof(mmarn_op *));
    if (rank->ops == NULL || !data_make(rank->workload, rank->number, &rank->data))
        return fail(rank, MMARN_ERR_MEMORY, "there is no memory for the tensors");
    return true;
}

static bool join(struct rank *rank)
{
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    config.rank = rank->number;
    config.world_size = rank->workload->ranks;
    config.threads = rank->workload->threads;
    config.transport = rank->workload->transport;
    return check_status(rank, mmarn_comm_create(&rank->job->id, &config, &rank->comm));
}

static bool create_operators(struct rank *rank)
{
    SHOW(rank, "packing weights");
    for (int i = 0; i < rank->workload->operators; i++)
        if (!check_status(rank, operator_create(rank->workload, &rank->data, rank->comm, &rank->ops[i])))
            return false;
    return true;
}

static bool describe(struct rank *rank)
{
    mmarn_op_description description = MMARN_OP_DESCRIPTION_INIT;
    const int64_t rows = rank->workload->b * rank->workload->s;
    if (rank->number != 0 || rows == 0)
        return true;
    if (!check_status(rank, mmarn_op_describe(rank->ops[0], rows, &description)))
        return false;
    described_set(&rank->job->described, &description);
    return true;
}

/* Lets all ranks start at the same moment. */
static bool align(struct rank *rank)
{
    float one = 1.0f;
    const int64_t size = 1;
    const mmarn_tensor tensor = mmarn_tensor_make(&one, MMARN_F32, 1, &size);
    return check_status(rank, mmarn_all_reduce(rank->comm, MMARN_NUMERICS_DEFAULT, &tensor, &tensor));
}

/* One aligned pass over all operators; *seconds is the time of one step. */
static bool pass(struct rank *rank, operator_step *step, double *seconds)
{
    const int operators = rank->workload->operators;
    double start;

    if (!align(rank))
        return false;
    start = clock_seconds();
    for (int i = 0; i < operators; i++)
        if (!check_status(rank, step(rank->workload, &rank->data, rank->ops[i])))
            return false;
    *seconds = (clock_seconds() - start) / operators;
    return true;
}

/* Small steps are repeated, because page faults and a processor that has to wake up slow the first ones down. */
static bool warm_up(struct rank *rank)
{
    const struct workload *workload = rank->workload;
    const int passes = workload_operations(workload) * workload->operators < 4e9 ? 5 : 1;
    double seconds = 0.0, wanted;

    for (int i = 0; i < passes; i++) {
        SHOW(rank, "warming up, %d of %d", i + 1, passes);
        if (!pass(rank, operator_run, &seconds))
            return false;
    }
    if (rank->number == 0) {
        wanted = seconds > 0 ? workload->seconds / (seconds * workload->operators) : JOB_MAX_REPEAT;
        rank->job->repeat = workload->repeat > 0               ? workload->repeat
                            : wanted < (double)workload->least ? workload->least
                            : wanted >= JOB_MAX_REPEAT         ? JOB_MAX_REPEAT
                                                               : (int64_t)wanted;
    }
    pthread_barrier_wait(&rank->job->barrier);
    return true;
}

static bool time_steps(struct rank *rank, const char *what, operator_step *step, double *seconds)
{
    for (int64_t i = 0; i < rank->job->repeat; i++) {
        SHOW(rank, "timing %s, %lld of %lld", what, (long long)i + 1, (long long)rank->job->repeat);
        if (!pass(rank, step, &seconds[i]))
            return false;
    }
    return true;
}

static bool check(struct rank *rank)
{
    const struct workload *workload = rank->workload;
    struct job_rank *mine = &rank->job->rank[rank->number];

    if (!check_status(rank, form_complete(workload, &rank->data, rank->comm)))
        return false;
    mine->hash = check_hash(workload, &rank->data);
    if (!workload->check)
        return true;
    SHOW(rank, "computing the reference");
    if (!check_partials(rank->job, rank->number, &rank->data))
        return fail(rank, MMARN_ERR_MEMORY, "there is no memory for the reference");
    pthread_barrier_wait(&rank->job->barrier);
    if (!check_compare(rank->job, &rank->data, &mine->bound))
        return fail(rank, MMARN_ERR_MEMORY, "there is no memory for the comparison");
    return true;
}

static bool work(struct rank *rank)
{
    struct job_rank *mine = &rank->job->rank[rank->number];
    return make_data(rank) && join(rank) && create_operators(rank) && describe(rank) && warm_up(rank) &&
           time_steps(rank, "the operator", operator_run, mine->seconds) &&
           time_steps(rank, "the matmul alone", operator_matmul, mine->matmul_seconds) && check(rank);
}

int rank_main(int number, void *context)
{
    struct job *job = context;
    struct rank rank = {.job = job, .workload = &job->workload, .number = number};
    const bool ok = work(&rank);

    SHOW(&rank, "leaving");
    for (int i = 0; rank.ops != NULL && i < rank.workload->operators; i++)
        mmarn_op_destroy(rank.ops[i]);
    mmarn_comm_destroy(rank.comm);
    free(rank.ops);
    data_free(&rank.data);
    return ok ? EXIT_OK : EXIT_RUNTIME;
}
