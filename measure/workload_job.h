/* SPDX-License-Identifier: MIT */
/*
 * workload_job.h - one workload while it runs: the parent prepares it and the ranks fill it in, all in shared memory.
 */
#ifndef MMARN_MEASURE_WORKLOAD_JOB_H
#define MMARN_MEASURE_WORKLOAD_JOB_H

#include <pthread.h>

#include "mmarn/mmarn.h"
#include "workload.h"

enum {
    JOB_MAX_REPEAT = 1000,
    JOB_CHECKED_ROWS = 64, /* of a problem that is too large to be checked as a whole */
    JOB_SENTENCE = 512
};

/* epsilon of every operator: the library's default, which is that of npu_mm_all_reduce_add_rms_norm. */
#define JOB_EPSILON 1e-6

/* What a rank writes. */
struct job_rank {
    mmarn_status status; /* why it failed, if sentence is not empty */
    char sentence[JOB_SENTENCE];
    double seconds[JOB_MAX_REPEAT], matmul_seconds[JOB_MAX_REPEAT];
    uint64_t hash; /* of y and norm_out */
    struct bound_result bound;
};

struct job {
    struct workload workload;
    mmarn_id id;
    pthread_barrier_t barrier; /* of all ranks; if one fails, the parent ends the others */
    int64_t repeat;
    struct described described;   /* written by rank 0 */
    struct bound_problem problem; /* its rows are in shared memory too */
    struct bound_term *terms;     /* [ranks][rows checked][n] */
    struct job_rank rank[MMARN_MAX_RANKS];
};

/* The whole life of a rank, in its own process. context is the job; the result is an exit status. */
int rank_main(int rank, void *context);

#endif
