/* SPDX-License-Identifier: MIT */
/*
 * coll_helper.h - what the tests of src/coll share: groups of ranks; an all-reduce by the library's own schedule, on
 * the transport under test; and a reference for its bits that shares no code with the library. Ranks use CHECK, and the
 * test asserts expect_failures() == 0.
 */
#ifndef COLL_HELPER_H
#define COLL_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/dtype.h"
#include "base/error.h"
#include "coll/id.h"
#include "coll/reduce.h"
#include "coll/transports.h"
#include "coll/worker.h"
#include "support/expect.h"
#include "support/ranks.h"
#include "support/seed.h"

/* Reports a failure (support/expect.h), and goes on. */
#define CHECK(condition) helper_check((condition), #condition, __FILE__, __LINE__)
bool helper_check(bool condition, const char *text, const char *file, int line);

/* The points of a call at which a test may act. */
enum helper_point {
    HELPER_BEGUN,
    HELPER_PRODUCED, /* a partial, not yet published */
    HELPER_AGREED,   /* before the first work that needs it */
    HELPER_REDUCED,  /* a sum, not yet published */
    HELPER_TAKEN,    /* a tile of the result has been stored */
    HELPER_ENDED,
    HELPER_POINTS
};

struct helper_job {
    int64_t tiles, count; /* elements of each tile */
    enum coll_algorithm algorithm;
    int32_t dtype;
    bool in_rank_order;
    int threads;
    uint64_t seed;
    int64_t field; /* a value that ranks must agree on, "n" */
    void (*hook)(struct coll *coll, enum helper_point point, int64_t tile, void *ctx);
    void *ctx;
};

/* What the call asks the ranks to agree on. */
struct coll_call helper_call(const struct helper_job *job);
/* One call: begin, all tiles, end. out holds tiles * count elements. Returns the call's status; see helper_sentence. */
mmarn_status helper_all_reduce(struct coll *coll, const struct helper_job *job, void *out);
/* What the calling thread's last helper_all_reduce or helper_join that failed has said. */
const char *helper_sentence(void);
/* The bits that the call must give. */
void helper_reference(const struct helper_job *job, int world_size, void *out);
/* One call that must succeed with the right bits. False: it did not, and a CHECK has failed. */
bool helper_good_call(struct coll *coll, const struct helper_job *job);

/* The sum of partials of `count` floats, as coll_reduce defines it. */
void helper_sum(const float *const parts[], int world_size, int64_t count, int32_t dtype, bool in_rank_order,
                void *out);

struct helper_group {
    mmarn_id id;
    int world_size, threads, timeout_ms;
    void (*body)(struct coll *coll, void *ctx); /* one member; the helper joins and leaves */
    void *ctx;
};

mmarn_id helper_id(void);
mmarn_status helper_join(const struct helper_group *group, int rank, struct coll **coll);
/* Runs every rank as a thread, and waits for them. */
void helper_run_threads(const struct helper_group *group);
/* Forks a process that runs count ranks, as threads if there are several; see ranks_fork. */
pid_t helper_fork(const struct helper_group *group, int first, int count);

/* The number of open descriptors, and of mappings of segments, of this process. */
int helper_descriptors(void);
int helper_mappings(void);

#endif
