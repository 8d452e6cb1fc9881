/* SPDX-License-Identifier: MIT */
/*
 * test_queue.c - calls of one rank's threads that wait their turn (MMARN_QUEUE_CALLS): in the order of arrival, each
 * under its own thread's name. When a group fails, or a waiting thread aborts it, all waiting calls end.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "group.h"

static enum group_mode mode;

enum { CALLERS = 5, STEP_US = 60000, CALLS = 300, COUNT = 16 };

static mmarn_comm *join(struct group_rank *rank, int32_t (*interrupted)(void *), void *ctx)
{
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    config.transport = ranks_transport();
    mmarn_comm *comm = NULL;
    config.rank = rank->rank;
    config.world_size = rank->world_size;
    config.threads = 1;
    config.timeout_ms = 10000;
    config.flags = MMARN_QUEUE_CALLS;
    config.interrupted = interrupted;
    config.interrupted_ctx = ctx;
    if (mmarn_comm_create(&rank->id, &config, &comm) != MMARN_OK)
        expect_fail("joining: %s", mmarn_last_error());
    return comm;
}

/* An all-reduce of `count` ones under a name with this beginning. */
struct caller {
    mmarn_comm *comm;
    const char *name;
    int count;
    mmarn_status status;
    char sentence[256];
    float sum;
};

static void *call(void *arg)
{
    struct caller *caller = arg;
    float values[COUNT];
    char name[64];
    const int64_t count = caller->count;
    for (int i = 0; i < COUNT; i++)
        values[i] = 1;
    const mmarn_tensor tensor = mmarn_tensor_make(values, MMARN_F32, 1, &count);
    snprintf(name, sizeof name, "%s %d", caller->name, caller->count);
    caller->status = mmarn_comm_name_next(caller->comm, name);
    if (caller->status == MMARN_OK)
        caller->status = mmarn_all_reduce(caller->comm, MMARN_NUMERICS_DEFAULT, &tensor, &tensor);
    snprintf(caller->sentence, sizeof caller->sentence, "%s", mmarn_last_error());
    caller->sum = values[count - 1];
    return NULL;
}

/*
 * Rank 0's threads come one after another while the first one's call waits for rank 1, which then makes the same calls
 * in that order. Calls of other sizes, or with other names, would not match.
 */
static bool order_rank(struct group_rank *rank, void *ctx)
{
    (void)ctx;
    mmarn_comm *comm = join(rank, NULL, NULL);
    if (!comm)
        return false;
    struct caller callers[CALLERS];
    pthread_t threads[CALLERS];
    if (rank->rank == 1)
        usleep((CALLERS + 1) * STEP_US);
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.comm = comm, .name = "call", .count = i + 1};
        if (rank->rank == 1) {
            call(&callers[i]);
        } else {
            pthread_create(&threads[i], NULL, call, &callers[i]);
            usleep(STEP_US);
        }
    }
    for (int i = 0; i < CALLERS; i++) {
        if (rank->rank == 0)
            pthread_join(threads[i], NULL);
        EXPECT(callers[i].status == MMARN_OK, "call %d: %s", i, callers[i].sentence);
        EXPECT(callers[i].sum == 2, "call %d: the sum is %g", i, (double)callers[i].sum);
    }
    mmarn_comm_destroy(comm);
    return true;
}

static void first_come_first_served(void **state)
{
    (void)state;
    assert_true(group_run(mode, 2, order_rank, NULL));
}

static void *call_often(void *arg)
{
    struct caller *caller = arg;
    for (int i = 0; i < CALLS; i++) {
        call(caller);
        if (caller->status != MMARN_OK || caller->sum != 1)
            return NULL;
    }
    return NULL;
}

/* Many threads of a group of one: none is refused, and arrays are not mixed up. */
static bool many_rank(struct group_rank *rank, void *ctx)
{
    (void)ctx;
    mmarn_comm *comm = join(rank, NULL, NULL);
    if (!comm)
        return false;
    struct caller callers[CALLERS];
    pthread_t threads[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.comm = comm, .name = "often", .count = i + 1};
        pthread_create(&threads[i], NULL, call_often, &callers[i]);
    }
    for (int i = 0; i < CALLERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < CALLERS; i++) {
        EXPECT(callers[i].status == MMARN_OK, "thread %d: %s", i, callers[i].sentence);
        EXPECT(callers[i].sum == 1, "thread %d: the sum is %g", i, (double)callers[i].sum);
    }
    mmarn_comm_destroy(comm);
    return true;
}

static void nobody_is_sent_away(void **state)
{
    (void)state;
    assert_true(group_run(GROUP_THREADS, 1, many_rank, NULL));
}

/* The name belongs to its thread: a thread without a name does not use it. */
static bool names_rank(struct group_rank *rank, void *ctx)
{
    (void)ctx;
    mmarn_comm *comm = join(rank, NULL, NULL);
    if (!comm)
        return false;
    struct caller other = {.comm = comm, .name = rank->rank ? "b" : "a", .count = 1};
    pthread_t thread;
    float value = 1;
    const mmarn_tensor one = mmarn_tensor_make(&value, MMARN_F32, 1, (int64_t[]){1});
    EXPECT_STATUS(mmarn_comm_name_next(comm, "mine"), MMARN_OK);
    pthread_create(&thread, NULL, call, &other);
    pthread_join(thread, NULL);
    EXPECT(other.status == MMARN_ERR_MISMATCH && strstr(other.sentence, "a 1") && strstr(other.sentence, "b 1"), "%s",
           other.sentence);
    EXPECT_STATUS(mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &one, &one), MMARN_OK);
    mmarn_comm_destroy(comm);
    return true;
}

static void names_are_their_threads(void **state)
{
    (void)state;
    assert_true(group_run(mode, 2, names_rank, NULL));
}

/* Rank 1 never calls. Nonzero *given_up: a thread that waits, in the queue or in its call, aborts the group. */
static int32_t asked(void *ctx)
{
    return atomic_load((atomic_int *)ctx);
}

static bool ended_rank(struct group_rank *rank, void *ctx)
{
    const bool abort = *(bool *)ctx;
    atomic_int given_up = 0;
    mmarn_comm *comm = join(rank, abort ? NULL : asked, &given_up);
    if (!comm)
        return false;
    struct caller callers[CALLERS];
    pthread_t threads[CALLERS];
    for (int i = 0; i < CALLERS && rank->rank == 0; i++) {
        callers[i] = (struct caller){.comm = comm, .name = "call", .count = i + 1};
        pthread_create(&threads[i], NULL, call, &callers[i]);
    }
    usleep(4 * STEP_US);
    if (rank->rank == 0 && abort)
        mmarn_comm_abort(comm);
    atomic_store(&given_up, 1);
    const double start = ranks_seconds();
    for (int i = 0; i < CALLERS && rank->rank == 0; i++) {
        pthread_join(threads[i], NULL);
        EXPECT(callers[i].status == MMARN_ERR_ABORTED, "call %d: %s (%s)", i, mmarn_status_string(callers[i].status),
               callers[i].sentence);
    }
    EXPECT(ranks_seconds() - start < 5, "it took %g s", ranks_seconds() - start);
    if (rank->rank == 1)
        usleep(4 * STEP_US);
    mmarn_comm_destroy(comm);
    return true;
}

static void a_group_that_ends_lets_them_go(void **state)
{
    (void)state;
    for (int abort = 0; abort < 2; abort++) {
        bool how = abort;
        assert_true(group_run(mode, 2, ended_rank, &how));
    }
}

int main(int argc, char **argv)
{
    (void)argv;
    mode = argc > 1 ? GROUP_THREADS : GROUP_PROCESSES;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_come_first_served),
        cmocka_unit_test(nobody_is_sent_away),
        cmocka_unit_test(names_are_their_threads),
        cmocka_unit_test(a_group_that_ends_lets_them_go),
    };
    return cmocka_run_group_tests_name("queues of calls", tests, NULL, NULL);
}
