/* SPDX-License-Identifier: MIT */
/*
 * schedule.h - what a rank's threads do next in one call, on any transport: each thread claims a piece of work, does
 * it, and claims again, until none is left. The five steps of a tile and its rows:
 *   STEP_PRODUCE   this rank's partial of a tile
 *   STEP_REDUCE    the sum of a tile that this rank owns (COLL_OWNER)
 *   STEP_EPILOGUE  what is done with a tile's sum, or with all its partials (COLL_ONE_SHOT)
 *   STEP_NORM      rows whose tiles have all had their epilogue
 */
#ifndef MMARN_COLL_SCHEDULE_H
#define MMARN_COLL_SCHEDULE_H

#include <pthread.h>

#include "base/error.h"
#include "coll/agreement.h"

enum step { STEP_NONE, STEP_PRODUCE, STEP_REDUCE, STEP_EPILOGUE, STEP_NORM, STEP_STOP };

/*
 * How tiles form rows: a row-block has block_rows rows and column_tiles tiles; tile i lies in row-block i /
 * column_tiles. blocks is 0 where no rows are to be normalised.
 */
struct coll_grid {
    int64_t column_tiles, blocks;
    int block_rows;
};

/* A claimed piece of work. */
struct work {
    enum step step;
    int64_t tile;                         /* PRODUCE, REDUCE, EPILOGUE */
    void *buffer;                         /* PRODUCE: the partial; REDUCE: the sum */
    const void *arrived[MMARN_MAX_RANKS]; /* REDUCE; EPILOGUE: partials by rank with COLL_ONE_SHOT, else the sum */
    int64_t block;                        /* NORM: rows from .. from + rows of the row-block */
    int from, rows;
};

struct schedule {
    struct coll *coll;
    const struct coll_call *call;
    struct coll_grid grid;
    int threads;
    int norm_rows; /* rows of one NORM claim */

    pthread_mutex_t lock; /* guards everything below */
    bool agreed;
    int64_t next_produce, next_reduce, next_epilogue; /* tiles */
    int64_t next_norm;                                /* row-block * block_rows + row in it */
    int64_t reduced;                                  /* every tile below it is summed, or belongs to another rank */
    int64_t finished;                                 /* every tile below it has had its epilogue */
    bool unflushed;                                   /* something was published or released since the last flush */
    bool failed;                                      /* *error has the first failure */
    struct error *error;
    struct held {
        enum step step;
        int64_t tile;
    } held[MMARN_MAX_THREADS]; /* what each thread is working on, for the others */
};

/* For a call that has begun; *call and *error must live as long. threads is 1 to MMARN_MAX_THREADS. */
void schedule_begin(struct schedule *schedule, struct coll *coll, const struct coll_call *call,
                    const struct coll_grid *grid, int threads, struct error *error);
/* The result of the call. false: *error has the first failure of any thread. */
bool schedule_end(struct schedule *schedule);

/*
 * The thread has done its last piece; returns its next one. STEP_NONE: nothing can be done now. STEP_STOP: nothing more
 * will come.
 */
enum step schedule_claim(struct schedule *schedule, int thread, struct work *work);

/* The call fails with this error, unless it has failed already. */
void schedule_fail(struct schedule *schedule, const struct error *error);

#endif
