/* SPDX-License-Identifier: MIT */
/*
 * test_coll_faults.c - ranks (as threads) that disagree, refuse, skip, abort, come late or leave, and the errors that
 * each rank gets.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coll_helper.h"

enum { WORLD = 4 };

static void run(int world_size, int timeout_ms, void (*body)(struct coll *coll, void *ctx), void *ctx)
{
    struct helper_group group = {
        .world_size = world_size, .threads = 2, .timeout_ms = timeout_ms, .body = body, .ctx = ctx};
    group.id = helper_id();
    helper_run_threads(&group);
    assert_int_equal(expect_failures(), 0);
}

static struct helper_job small_job(void)
{
    return (struct helper_job){
        .tiles = 9, .count = 40, .dtype = MMARN_F32, .threads = 2, .field = 16, .seed = test_seed()};
}

/* A call that must fail with this status and sentence. */
static void bad_call(struct coll *coll, const struct helper_job *job, mmarn_status status, const char *sentence)
{
    char *out = malloc((size_t)(job->tiles * job->count) * sizeof(float));
    CHECK(helper_all_reduce(coll, job, out) == status);
    if (!CHECK(!strcmp(helper_sentence(), sentence)))
        fprintf(stderr, "  expected: %s\n", sentence);
    free(out);
}

/* Call number `call` of its group, in which ranks disagree. */
static void split_call(struct coll *coll, const struct helper_job *job, int call, const char *reason)
{
    char sentence[256];
    snprintf(sentence, sizeof sentence, "call %d: %s", call, reason);
    bad_call(coll, job, MMARN_ERR_MISMATCH, sentence);
}

static void mismatch_body(struct coll *coll, void *ctx)
{
    (void)ctx;
    struct helper_job job = small_job();
    for (int round = 0; round < 5; round++) {
        const int first = 1 + 7 * round;
        helper_good_call(coll, &job);
        struct helper_job other = job;
        other.field = coll->rank == 1 ? 32 : 16;
        split_call(coll, &other, first + 1, "n is 16 on rank 0 but 32 on rank 1");
        other = job;
        other.dtype = coll->rank >= 2 ? MMARN_F16 : MMARN_F32;
        other.field = coll->rank == 3 ? 15 : 16;
        split_call(coll, &other, first + 2, "n is 16 on rank 0 but 15 on rank 3");
        other.field = 16;
        split_call(coll, &other, first + 3, "dtype is f32 on rank 0 but f16 on rank 2");
        helper_good_call(coll, &job);
        other = job;
        other.tiles = coll->rank == 0 ? 3 : 9;
        split_call(coll, &other, first + 5, "the number of tiles is 3 on rank 0 but 9 on rank 1");
        other = job;
        other.algorithm = coll->rank == 3 ? COLL_ONE_SHOT : COLL_OWNER;
        split_call(coll, &other, first + 6, "the algorithm is 0 on rank 0 but 1 on rank 3");
    }
}

static void a_mismatch_is_named_on_all_ranks(void **state)
{
    (void)state;
    run(WORLD, 60000, mismatch_body, NULL);
}

enum action { WORK, WORK_OTHER, REFUSE, SKIP, ACTIONS };

/* The sentence that ranks with work in a call must get; "" if they all agree. */
static void expect(const enum action actions[WORLD], char sentence[128])
{
    sentence[0] = 0;
    for (int rank = 0; rank < WORLD; rank++)
        if (actions[rank] == REFUSE) {
            sprintf(sentence, "rank %d refused the call: rank %d's reason", rank, rank);
            return;
        }
    for (int rank = 0; rank < WORLD; rank++)
        if (actions[rank] == SKIP) {
            int busy = 0;
            while (busy < WORLD - 1 && actions[busy] == SKIP)
                busy++;
            sprintf(sentence, "rank %d made an empty call (b * s or n is 0) where rank %d has work", rank, busy);
            return;
        }
    for (int rank = 1; rank < WORLD; rank++)
        if (actions[rank] != actions[0]) {
            sprintf(sentence, "n is %d on rank 0 but %d on rank %d", actions[0] == WORK ? 16 : 17,
                    actions[rank] == WORK ? 16 : 17, rank);
            return;
        }
}

/* Any sequence of agreement, disagreement, refusal and empty calls leaves the ranks in step. */
static void random_body(struct coll *coll, void *ctx)
{
    uint64_t random = test_seed() + 77;
    int calls = *(int *)ctx;
    for (int i = 0; i < calls && !expect_failures(); i++) {
        enum action actions[WORLD];
        char sentence[128];
        bool calm = test_random(&random) % 2;
        for (int rank = 0; rank < WORLD; rank++)
            actions[rank] = calm ? WORK : (enum action)(test_random(&random) % ACTIONS);
        expect(actions, sentence);
        struct helper_job job = small_job();
        job.tiles = 1 + (int64_t)(test_random(&random) % 12);
        job.algorithm = test_random(&random) % 2 ? COLL_OWNER : COLL_ONE_SHOT;
        job.field = actions[coll->rank] == WORK ? 16 : 17;
        job.seed += (uint64_t)i;
        if (actions[coll->rank] == REFUSE) {
            snprintf(sentence, sizeof sentence, "rank %d's reason", coll->rank);
            coll_refuse(coll, sentence);
        } else if (actions[coll->rank] == SKIP)
            coll_skip(coll);
        else if (sentence[0])
            split_call(coll, &job, 1 + i, sentence);
        else
            helper_good_call(coll, &job);
    }
}

static void ranks_stay_in_step(void **state)
{
    (void)state;
    int calls = 600;
    run(WORLD, 60000, random_body, &calls);
}

static void long_refusal_body(struct coll *coll, void *ctx)
{
    (void)ctx;
    char reason[400];
    struct helper_job job = small_job();
    memset(reason, 'x', sizeof reason);
    reason[sizeof reason - 1] = 0;
    if (coll->rank == 1) {
        coll_refuse(coll, reason);
        return;
    }
    char out[9 * 40 * 4];
    CHECK(helper_all_reduce(coll, &job, out) == MMARN_ERR_MISMATCH);
    CHECK(!strncmp(helper_sentence(), "call 1: rank 1 refused the call: xxx", 36));
    CHECK(strlen(helper_sentence()) < 250);
}

static void a_long_refusal_is_cut(void **state)
{
    (void)state;
    run(2, 60000, long_refusal_body, NULL);
}

static void *abort_later(void *arg)
{
    struct coll *coll = arg;
    ranks_sleep(30);
    (coll->transport->fail)(coll, COLL_ABORTED); /* cmocka has a macro of that name */
    return NULL;
}

static void abort_body(struct coll *coll, void *ctx)
{
    (void)ctx;
    struct helper_job job = small_job();
    pthread_t thread;
    helper_good_call(coll, &job);
    /* Rank 1 never makes this call; instead another of its threads aborts. */
    if (coll->rank == 1) {
        pthread_create(&thread, NULL, abort_later, coll);
        pthread_join(thread, NULL);
    } else
        bad_call(coll, &job, MMARN_ERR_ABORTED, "rank 1 aborted the group");
    bad_call(coll, &job, MMARN_ERR_ABORTED, "rank 1 aborted the group");
}

static void abort_reaches_all_ranks(void **state)
{
    (void)state;
    run(WORLD, -1, abort_body, NULL);
}

static void late_body(struct coll *coll, void *ctx)
{
    atomic_int *done = ctx;
    struct helper_job job = small_job();
    helper_good_call(coll, &job);
    if (coll->rank == 1)
        while (!atomic_load(done))
            ranks_sleep(1);
    bad_call(coll, &job, MMARN_ERR_TIMEOUT, "rank 0 waited 100 ms for rank 1");
    atomic_store(done, 1);
    bad_call(coll, &job, MMARN_ERR_TIMEOUT, "rank 0 waited 100 ms for rank 1");
}

static void a_late_rank_is_named(void **state)
{
    (void)state;
    atomic_int done = 0;
    run(2, 100, late_body, &done);
}

static void stop_in_call(struct coll *coll, enum helper_point point, int64_t tile, void *ctx)
{
    atomic_int *done = ctx;
    if (coll->rank == 1 && point == HELPER_PRODUCED && tile == 3)
        while (!atomic_load(done))
            ranks_sleep(1);
}

static void stuck_body(struct coll *coll, void *ctx)
{
    struct helper_job job = small_job();
    char out[9 * 40 * 4];
    helper_good_call(coll, &job);
    job.threads = 1;
    job.hook = stop_in_call;
    job.ctx = ctx;
    CHECK(helper_all_reduce(coll, &job, out) == MMARN_ERR_TIMEOUT);
    CHECK(strstr(helper_sentence(), "for rank 1") != NULL);
    atomic_store((atomic_int *)ctx, 1);
}

static void a_rank_stuck_in_a_call_is_named(void **state)
{
    (void)state;
    atomic_int done = 0;
    run(3, 200, stuck_body, &done);
}

static void leave_body(struct coll *coll, void *ctx)
{
    (void)ctx;
    struct helper_job job = small_job();
    job.tiles = 1;
    /* Rank 2 leaves as soon as it can, and rank 0 finds out at once. Rank 1's first call must not be disturbed. */
    helper_good_call(coll, &job);
    if (coll->rank == 2)
        return;
    bad_call(coll, &job, MMARN_ERR_PEER, "rank 2 left the group");
    bad_call(coll, &job, MMARN_ERR_PEER, "rank 2 left the group");
}

static void leaving_fails_the_next_call_only(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++)
        run(3, -1, leave_body, NULL);
}

static void failing_body(struct coll *coll, void *ctx)
{
    (void)ctx;
    struct helper_job job = small_job();
    struct coll_call call = helper_call(&job);
    helper_good_call(coll, &job);
    if (coll->rank == 2) {
        struct error error;
        CHECK(coll_begin(coll, &call, &error));
        coll_end(coll, MMARN_ERR_MEMORY);
    }
    bad_call(coll, &job, MMARN_ERR_PEER, "rank 2 failed in the middle of a call");
}

static void a_failure_inside_a_call_is_told(void **state)
{
    (void)state;
    run(3, -1, failing_body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mismatch_is_named_on_all_ranks),
        cmocka_unit_test(ranks_stay_in_step),
        cmocka_unit_test(a_long_refusal_is_cut),
        cmocka_unit_test(abort_reaches_all_ranks),
        cmocka_unit_test(a_late_rank_is_named),
        cmocka_unit_test(a_rank_stuck_in_a_call_is_named),
        cmocka_unit_test(leaving_fails_the_next_call_only),
        cmocka_unit_test(a_failure_inside_a_call_is_told),
    };
    test_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
