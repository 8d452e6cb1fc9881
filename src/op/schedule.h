/*
 * schedule.h - what a rank's threads do next in one call: each claims a piece of work, does it (pipeline.c), and claims
 * again, until there is none.
 */
#ifndef MMARN_OP_SCHEDULE_H
#define MMARN_OP_SCHEDULE_H

#include <pthread.h>

#include "base/error.h"
#include "op/plan.h"

enum step { STEP_NONE, STEP_PRODUCE, STEP_SUM, STEP_TAKE_IN, STEP_NORM, STEP_STOP };

/* A claimed piece of work. */
struct work {
    enum step step;
    int64_t tile;                        /* PRODUCE, SUM, TAKE_IN */
    void *buffer;                        /* PRODUCE: the part; SUM: the sum */
    const void *sum;                     /* TAKE_IN, COLL_OWNER */
    const float *parts[MMARN_MAX_RANKS]; /* SUM; TAKE_IN, COLL_ONE_SHOT */
    int64_t row;                         /* NORM */
    int rows;
};

struct schedule {
    struct coll *coll;
    const struct op_plan *plan;
    int threads;
    int norm_rows; /* rows of one NORM claim */

    pthread_mutex_t lock; /* over everything below */
    bool agreed;
    int64_t next_produce, next_sum, next_take_in; /* tiles */
    int64_t next_norm, end_norm;                  /* rows */
    int64_t summed, taken_in;                     /* tiles below these are, or are not for this rank to sum */
    bool unflushed;                               /* something has been published or released since the last flush */
    mmarn_status status;                          /* of the first failure, and its sentence */
    char sentence[ERROR_SENTENCE_SIZE];
    struct held {
        enum step step;
        int64_t tile;
    } held[MMARN_MAX_THREADS]; /* by thread: what it is at, for the others */
};

/* For a call that has begun. norm: rows are to be normalised. threads is at most MMARN_MAX_THREADS. */
void schedule_begin(struct schedule *schedule, struct coll *coll, const struct op_plan *plan, bool norm, int threads);
/* What the call came to; its sentence is recorded again, as the calling thread may not be the one that failed. */
mmarn_status schedule_end(struct schedule *schedule);

/* The thread has done its last piece; its next one. STEP_NONE: nothing can be done now. STEP_STOP: nor ever. */
enum step schedule_claim(struct schedule *schedule, int thread, struct work *work);

/* The call fails with this status and the sentence that is recorded, unless it has failed already. */
void schedule_fail(struct schedule *schedule, mmarn_status status);

#endif
