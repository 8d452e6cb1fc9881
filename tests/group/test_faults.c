/* SPDX-License-Identifier: MIT */
/*
 * test_faults.c - ranks that die, stop, come late, abort, fork or leave during the operator. Every other rank gets an
 * error in time, or the right answer; nothing hangs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "op_case.h"

enum { WORLD = 4, VICTIM = 2 };

static const struct op_case large = {.dtype = MMARN_F16, .s = 300, .k = 64, .n = 2048, .threads = 1};
static const struct op_case small = {.dtype = MMARN_F16, .s = 1, .k = 64, .n = 512, .threads = 1};

/* Shared by all ranks and the test. */
struct watch {
    const struct op_data *data;
    atomic_int running;            /* ranks that have come through a first call */
    _Atomic double killed;         /* when */
    _Atomic double noticed[WORLD]; /* when */
    double wait_before;            /* seconds between the first call and the kill */
};

/* Calls until a call fails. */
static bool call_until_failure(struct group_rank *rank, void *ctx)
{
    struct watch *watch = ctx;
    mmarn_comm *comm = group_join(rank, 1);
    if (!comm)
        return false;
    const struct op_case *shape = watch->data->shape;
    int64_t rows = shape->s, n = shape->n, count = rows * n;
    mmarn_tensor x = mmarn_tensor_make(watch->data->x1[rank->rank], MMARN_F16, 2, (int64_t[]){rows, shape->k});
    mmarn_tensor x2 = mmarn_tensor_make(watch->data->x2[rank->rank], MMARN_F16, 2, (int64_t[]){shape->k, n});
    mmarn_tensor gamma = mmarn_tensor_make(watch->data->gamma[rank->rank], MMARN_F16, 1, &n);
    mmarn_tensor residual = mmarn_tensor_make(watch->data->residual[rank->rank], MMARN_F16, 2, (int64_t[]){rows, n});
    mmarn_tensor y = mmarn_tensor_make(malloc((size_t)count * 2), MMARN_F16, 2, (int64_t[]){rows, n});
    mmarn_tensor norm_out = mmarn_tensor_make(malloc((size_t)count * 2), MMARN_F16, 2, (int64_t[]){rows, n});
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    config.x2 = &x2;
    config.gamma = &gamma;
    mmarn_op *op = NULL;
    EXPECT_STATUS(mmarn_op_create(comm, &config, &op), MMARN_OK);
    EXPECT_STATUS(mmarn_op_run(op, STEP(&x, &residual, &y, &norm_out)), MMARN_OK);
    atomic_fetch_add(&watch->running, 1);
    mmarn_status status = MMARN_OK;
    while (status == MMARN_OK)
        status = mmarn_op_run(op, STEP(&x, &residual, &y, &norm_out));
    watch->noticed[rank->rank] = ranks_seconds();
    EXPECT(status == MMARN_ERR_PEER, "%s: %s", mmarn_status_string(status), mmarn_last_error());
    EXPECT(strstr(mmarn_last_error(), "rank 2"), "the dead rank is not named: %s", mmarn_last_error());
    EXPECT_STATUS(mmarn_op_run(op, STEP(&x, &residual, &y, &norm_out)), MMARN_ERR_PEER);
    free(y.data);
    free(norm_out.data);
    mmarn_op_destroy(op);
    mmarn_comm_destroy(comm);
    return true;
}

static void kill_victim(const pid_t *ranks, void *ctx)
{
    struct watch *watch = ctx;
    while (atomic_load(&watch->running) < WORLD)
        usleep(1000);
    usleep((useconds_t)(watch->wait_before * 1e6));
    watch->killed = ranks_seconds();
    kill(ranks[VICTIM], SIGKILL);
}

static void killed_rank(void **state)
{
    (void)state;
    const struct op_case *shapes[] = {&large, &small};
    for (int i = 0; i < 6; i++) {
        struct op_data data;
        op_data_make(&data, shapes[i % 2], WORLD);
        struct watch *watch = ranks_shared(sizeof *watch);
        watch->data = &data;
        watch->wait_before = 0.003 * i;
        assert_true(group_run_with(WORLD, call_until_failure, watch, kill_victim));
        for (int r = 0; r < WORLD; r++)
            if (r != VICTIM && watch->noticed[r] - watch->killed > 1.0)
                fail_msg("rank %d noticed after %.3f s", r, watch->noticed[r] - watch->killed);
        ranks_shared_free(watch, sizeof *watch);
        op_data_free(&data);
    }
}

/* A rank that is stopped and continues before the deadline costs only time. */
static bool stopped_rank(struct group_rank *rank, void *ctx)
{
    struct watch *watch = ctx;
    mmarn_comm *comm = group_join(rank, 1);
    bool ok = comm;
    if (ok)
        atomic_fetch_add(&watch->running, 1);
    for (int i = 0; ok && i < 6; i++)
        ok = op_case_run(rank, comm, watch->data);
    mmarn_comm_destroy(comm);
    return ok;
}

static void stop_victim(const pid_t *ranks, void *ctx)
{
    struct watch *watch = ctx;
    while (atomic_load(&watch->running) < WORLD)
        usleep(1000);
    for (int i = 0; i < 3; i++) {
        kill(ranks[VICTIM], SIGSTOP);
        usleep(60000);
        kill(ranks[VICTIM], SIGCONT);
        usleep(5000);
    }
}

static void stopped_and_continued(void **state)
{
    (void)state;
    struct op_data data;
    op_data_make(&data, &large, WORLD);
    struct watch *watch = ranks_shared(sizeof *watch);
    watch->data = &data;
    assert_true(group_run_with(WORLD, stopped_rank, watch, stop_victim));
    ranks_shared_free(watch, sizeof *watch);
    op_data_free(&data);
}

/* A rank never calls: the others time out, and name the missing rank. */
static bool late_rank(struct group_rank *rank, void *ctx)
{
    const struct op_data *data = ctx;
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    config.transport = ranks_transport();
    config.rank = rank->rank;
    config.world_size = rank->world_size;
    config.timeout_ms = 300;
    mmarn_comm *comm = NULL;
    EXPECT_STATUS(mmarn_comm_create(&rank->id, &config, &comm), MMARN_OK);
    (void)data;
    float value = 1;
    mmarn_tensor one = mmarn_tensor_make(&value, MMARN_F32, 1, (int64_t[]){1});
    if (rank->rank == VICTIM) {
        usleep(1500000);
    } else {
        EXPECT_STATUS(mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &one, &one), MMARN_ERR_TIMEOUT);
        EXPECT(strstr(mmarn_last_error(), "rank 2"), "the late rank is not named: %s", mmarn_last_error());
        EXPECT(value == 1, "the output was written");
    }
    /* The group can no longer be used, not even by the late rank. */
    EXPECT_STATUS(mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &one, &one), MMARN_ERR_TIMEOUT);
    mmarn_comm_destroy(comm);
    return true;
}

static void late(void **state)
{
    (void)state;
    assert_true(group_run(GROUP_PROCESSES, WORLD, late_rank, NULL));
    assert_true(group_run(GROUP_THREADS, WORLD, late_rank, NULL));
}

static void *abort_soon(void *comm)
{
    usleep(50000);
    mmarn_comm_abort(comm);
    return NULL;
}

/* An abort from another thread ends a call that waits for a rank that has not come. */
static bool aborted_rank(struct group_rank *rank, void *ctx)
{
    (void)ctx;
    mmarn_comm *comm = group_join(rank, 1);
    if (!comm)
        return false;
    float value = 1;
    mmarn_tensor one = mmarn_tensor_make(&value, MMARN_F32, 1, (int64_t[]){1});
    if (rank->rank == VICTIM) {
        pthread_t thread;
        pthread_create(&thread, NULL, abort_soon, comm);
        pthread_join(thread, NULL);
    }
    EXPECT_STATUS(mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &one, &one), MMARN_ERR_ABORTED);
    mmarn_comm_destroy(comm);
    return true;
}

static void aborted(void **state)
{
    (void)state;
    assert_true(group_run(GROUP_PROCESSES, WORLD, aborted_rank, NULL));
    assert_true(group_run(GROUP_THREADS, WORLD, aborted_rank, NULL));
}

/* A forked child must not use its parent's group, and does not disturb it. */
static bool forking_rank(struct group_rank *rank, void *ctx)
{
    const struct op_data *data = ctx;
    mmarn_comm *comm = group_join(rank, 1);
    if (!comm)
        return false;
    pid_t child = fork();
    if (child == 0) {
        float value = 1;
        mmarn_tensor one = mmarn_tensor_make(&value, MMARN_F32, 1, (int64_t[]){1});
        mmarn_status status = mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &one, &one);
        mmarn_op_config config = MMARN_OP_CONFIG_INIT;
        mmarn_op *op = NULL;
        bool refused = status == MMARN_ERR_FORKED && mmarn_op_create(comm, &config, &op) == MMARN_ERR_FORKED;
        mmarn_comm_destroy(comm);
        _exit(refused ? 0 : 1);
    }
    bool ok = op_case_run(rank, comm, data);
    EXPECT(ranks_wait(child) == 0, "the child could use the group");
    ok = ok && op_case_run(rank, comm, data);
    mmarn_comm_destroy(comm);
    return ok;
}

static void forked(void **state)
{
    (void)state;
    struct op_data data;
    op_data_make(&data, &large, WORLD);
    assert_true(group_run(GROUP_PROCESSES, WORLD, forking_rank, &data));
    op_data_free(&data);
}

/* Two threads of one rank in one group at the same time: one of them gets an error. */
struct second_call {
    mmarn_comm *comm;
    mmarn_status status;
};

static void *call_second(void *arg)
{
    struct second_call *second = arg;
    float value = 1;
    mmarn_tensor one = mmarn_tensor_make(&value, MMARN_F32, 1, (int64_t[]){1});
    usleep(100000);
    second->status = mmarn_all_reduce(second->comm, MMARN_NUMERICS_DEFAULT, &one, &one);
    return NULL;
}

static bool busy_rank(struct group_rank *rank, void *ctx)
{
    (void)ctx;
    mmarn_comm *comm = group_join(rank, 1);
    if (!comm)
        return false;
    float value = 1;
    mmarn_tensor one = mmarn_tensor_make(&value, MMARN_F32, 1, (int64_t[]){1});
    struct second_call second = {comm, MMARN_OK};
    pthread_t thread;
    if (rank->rank == 0)
        pthread_create(&thread, NULL, call_second, &second);
    else
        usleep(400000);
    EXPECT_STATUS(mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &one, &one), MMARN_OK);
    EXPECT(value == 2, "the sum is %g", (double)value);
    if (rank->rank == 0) {
        pthread_join(thread, NULL);
        EXPECT(second.status == MMARN_ERR_BUSY, "the second call gave %s", mmarn_status_string(second.status));
    }
    mmarn_comm_destroy(comm);
    return true;
}

static void busy(void **state)
{
    (void)state;
    assert_true(group_run(GROUP_PROCESSES, 2, busy_rank, NULL));
}

int main(void)
{
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_rank), cmocka_unit_test(stopped_and_continued),
        cmocka_unit_test(late),        cmocka_unit_test(aborted),
        cmocka_unit_test(forked),      cmocka_unit_test(busy),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
