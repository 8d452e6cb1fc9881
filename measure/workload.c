/* SPDX-License-Identifier: MIT */
/* workload.c - the parent's side of a workload: prepares the job, starts the ranks, and combines their results. */
#include "workload.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cpu.h"
#include "check.h"
#include "data.h"
#include "exit_status.h"
#include "machine.h"
#include "median.h"
#include "progress.h"
#include "ranks.h"
#include "workload_job.h"

/* Rows of int4 weights that share a scale. */
enum { INT4_GROUP = 128 };

const struct option_choice workload_numerics[] = {
    {"default", MMARN_NUMERICS_DEFAULT}, {"ascend", MMARN_NUMERICS_ASCEND}, {"fp32", MMARN_NUMERICS_FP32}, {NULL, 0}};

int workload_default_threads(int ranks)
{
    const int share = cpu_share(ranks);
    return share < MMARN_MAX_THREADS ? share : MMARN_MAX_THREADS;
}

double workload_operations(const struct workload *workload)
{
    return 2.0 * (double)workload->b * (double)workload->s * (double)workload->k * (double)workload->n *
           workload->ranks;
}

void workload_usual_scales(struct workload *workload)
{
    const struct scenario *scenario = scenario_of(workload->dtype);

    if (scenario->scale != 0)
        workload->scale = SCALE_PER_CHANNEL;
    if (scenario->x2 == MMARN_I4) {
        workload->scale = SCALE_PER_GROUP;
        workload->group_size = INT4_GROUP;
    }
}

const char *workload_scale_name(const struct workload *workload)
{
    return workload->scale != SCALE_NONE ? options_choice_name(scale_names, workload->scale) : "none";
}

int workload_rotating_operators(const struct workload *workload)
{
    const double each = data_weight_bytes(workload) * workload->ranks;
    int64_t wanted = 2 * machine_last_level_cache();
    if (wanted < (int64_t)128 << 20)
        wanted = (int64_t)128 << 20;
    return (int)ceil((double)wanted / each);
}

int workload_workers(const struct workload *workload)
{
    return workload->ranks * workload->threads;
}

/* The median over repeats of the slowest rank's time. */
static double median_time(const struct job *job, bool matmul)
{
    double slowest[JOB_MAX_REPEAT];
    for (int64_t i = 0; i < job->repeat; i++) {
        slowest[i] = 0.0;
        for (int rank = 0; rank < job->workload.ranks; rank++) {
            const struct job_rank *one = &job->rank[rank];
            const double seconds = matmul ? one->matmul_seconds[i] : one->seconds[i];
            if (seconds > slowest[i])
                slowest[i] = seconds;
        }
    }
    return median_of(slowest, (size_t)job->repeat);
}

/* The rank whose failure explains the others' failures: a rank that only lost its peers comes last. */
static int culprit(const struct job *job)
{
    int found = -1;
    for (int rank = 0; rank < job->workload.ranks; rank++) {
        const struct job_rank *one = &job->rank[rank];
        const bool victim = one->status == MMARN_ERR_PEER || one->status == MMARN_ERR_ABORTED;
        if (one->sentence[0] != '\0' && !victim)
            return rank;
        if (one->sentence[0] != '\0' && found < 0)
            found = rank;
    }
    return found;
}

static int report_failure(const struct job *job, const struct ranks_outcome *outcome)
{
    const int rank = culprit(job);
    char text[128];

    progress_clear();
    if (outcome->signal != 0)
        return 128 + outcome->signal;
    ranks_describe(outcome, text, sizeof(text));
    if (WIFSIGNALED(outcome->status) || rank < 0)
        fprintf(stderr, "mmarn %s: %s\n", job->workload.command, text);
    else
        fprintf(stderr, "mmarn %s: rank %d: %s\n", job->workload.command, rank, job->rank[rank].sentence);
    return EXIT_RUNTIME;
}

static void collect(const struct job *job, struct workload_result *result)
{
    *result = (struct workload_result){
        .repeat = job->repeat,
        .seconds = median_time(job, false),
        .matmul_seconds = median_time(job, true),
        .bits_equal = check_bits_equal(job),
        .described = job->described,
        .ok = true,
    };
    if (job->workload.check) {
        result->rows_checked = job->problem.count;
        result->bound = check_worst(job);
        result->ok = result->bound.ok;
    }
}

static int run_job(struct job *job, struct workload_result *result)
{
    pthread_barrierattr_t attributes;
    struct ranks_outcome outcome;

    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&job->barrier, &attributes, (unsigned)job->workload.ranks);
    pthread_barrierattr_destroy(&attributes);
    if (!ranks_run(job->workload.ranks, rank_main, job, &outcome)) {
        fprintf(stderr, "mmarn %s: a rank cannot be started: %s\n", job->workload.command, strerror(errno));
        return EXIT_RUNTIME;
    }
    if (outcome.rank >= 0)
        return report_failure(job, &outcome);
    progress_clear();
    collect(job, result);
    return EXIT_OK;
}

static bool fits_memory(const struct workload *workload)
{
    const double needed = data_total_bytes(workload), present = (double)machine_memory();
    if (needed <= present)
        return true;
    fprintf(stderr, "mmarn %s: the tensors of %d ranks need %.1f GiB, and this machine has %.1f GiB\n",
            workload->command, workload->ranks, needed * 0x1p-30, present * 0x1p-30);
    return false;
}

int workload_run(const struct workload *workload, struct workload_result *result)
{
    struct job *job;
    int status = EXIT_RUNTIME;

    if (!fits_memory(workload))
        return EXIT_RUNTIME;
    job = ranks_shared_memory(sizeof(*job));
    if (job != NULL)
        job->workload = *workload;
    if (job == NULL || (workload->check && !check_prepare(job)))
        fprintf(stderr, "mmarn %s: there is no shared memory for the ranks' results\n", workload->command);
    else if (mmarn_id_create(&job->id) != MMARN_OK)
        fprintf(stderr, "mmarn %s: %s\n", workload->command, mmarn_last_error());
    else
        status = run_job(job, result);
    if (job != NULL && workload->check)
        check_free(job);
    ranks_shared_free(job, sizeof(*job));
    return status;
}
