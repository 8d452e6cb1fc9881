/* SPDX-License-Identifier: MIT */
/*
 * test_interrupt.c - mmarn_comm_config.interrupted: a rank that waits for a peer, in a call or while it joins, asks its
 * caller and stops waiting when told to. Its peers learn of it, and a rank that is never told to stop is not disturbed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "group.h"

struct caller {
    double stop_at;   /* stop when asked at this time or later; 0: never */
    atomic_int asked; /* by any thread of the call */
};

static int32_t ask(void *ctx)
{
    struct caller *caller = ctx;
    atomic_fetch_add(&caller->asked, 1);
    return caller->stop_at > 0 && ranks_seconds() >= caller->stop_at;
}

static mmarn_status join(const struct group_rank *rank, struct caller *caller, mmarn_comm **comm)
{
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    config.transport = ranks_transport();
    config.rank = rank->rank;
    config.world_size = rank->world_size;
    config.threads = 2;
    config.timeout_ms = 20000;
    config.interrupted = ask;
    config.interrupted_ctx = caller;
    return mmarn_comm_create(&rank->id, &config, comm);
}

static mmarn_status sum_one(mmarn_comm *comm, float *value)
{
    mmarn_tensor one = mmarn_tensor_make(value, MMARN_F32, 1, (int64_t[]){1});
    return mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &one, &one);
}

/*
 * One rank of three does not come. The rank that ctx names is told to stop when both others have surely connected, and
 * the other learns of it.
 */
static bool join_in_vain(struct group_rank *rank, void *ctx)
{
    int told = *(const int *)ctx;
    if (rank->rank == 2)
        return true;
    const double start = ranks_seconds();
    struct caller caller = {.stop_at = rank->rank == told ? start + 3 : 0};
    mmarn_comm *comm = NULL;
    mmarn_status status = join(rank, &caller, &comm);
    EXPECT(ranks_seconds() - start < 15, "it took until the deadline");
    EXPECT(!comm, "a handle was given out");
    if (rank->rank == told)
        EXPECT(status == MMARN_ERR_ABORTED && strstr(mmarn_last_error(), "was interrupted"), "%s: %s",
               mmarn_status_string(status), mmarn_last_error());
    else
        EXPECT(status == MMARN_ERR_ABORTED || status == MMARN_ERR_PEER, "%s: %s", mmarn_status_string(status),
               mmarn_last_error());
    return true;
}

static void while_joining(void **state)
{
    (void)state;
    for (int told = 0; told < 2; told++)
        assert_true(group_run(GROUP_PROCESSES, 3, join_in_vain, &told));
}

/*
 * Rank 0 waits in a call that rank 1 enters only after rank 0 has been told to stop. That is not before rank 1 has
 * ended the call before it, because an abort fails every call that is pending on any rank.
 */
static bool call_in_vain(struct group_rank *rank, void *ctx)
{
    atomic_bool *may_stop = ctx;
    struct caller caller = {.stop_at = 0};
    mmarn_comm *comm = NULL;
    EXPECT_STATUS(join(rank, &caller, &comm), MMARN_OK);
    float value = 1.5f;
    EXPECT_STATUS(sum_one(comm, &value), MMARN_OK);
    EXPECT(value == 3, "the sum is %g", (double)value);
    if (rank->rank == 1) {
        atomic_store(may_stop, true); /* pairs with the load of rank 0 */
        usleep(1000000);
    } else {
        while (!atomic_load(may_stop))
            usleep(1000);
        caller.stop_at = ranks_seconds();
    }
    float untouched = 0.25f;
    EXPECT_STATUS(sum_one(comm, &untouched), MMARN_ERR_ABORTED);
    EXPECT(strstr(mmarn_last_error(), "rank 0 aborted the group"), "%s", mmarn_last_error());
    EXPECT(untouched == 0.25f, "the output was written");
    EXPECT(rank->rank == 1 || atomic_load(&caller.asked) >= 1, "the caller was never asked");
    mmarn_comm_destroy(comm);
    return true;
}

static void in_a_call(void **state)
{
    (void)state;
    for (enum group_mode mode = GROUP_PROCESSES; mode <= GROUP_THREADS; mode++) {
        atomic_bool *may_stop = ranks_shared(sizeof *may_stop);
        assert_true(group_run(mode, 2, call_in_vain, may_stop));
        ranks_shared_free(may_stop, sizeof *may_stop);
    }
}

/* A long wait asks often, and the call still succeeds if the caller never says stop. */
static bool call_late(struct group_rank *rank, void *ctx)
{
    (void)ctx;
    struct caller caller = {.stop_at = 0};
    mmarn_comm *comm = NULL;
    EXPECT_STATUS(join(rank, &caller, &comm), MMARN_OK);
    if (rank->rank == 1)
        usleep(1000000);
    atomic_store(&caller.asked, 0);
    float value = 2.5f;
    EXPECT_STATUS(sum_one(comm, &value), MMARN_OK);
    EXPECT(value == 5, "the sum is %g", (double)value);
    EXPECT(rank->rank == 1 || atomic_load(&caller.asked) >= 3, "asked only %d times in a second",
           atomic_load(&caller.asked));
    mmarn_comm_destroy(comm);
    return true;
}

static void not_disturbed(void **state)
{
    (void)state;
    assert_true(group_run(GROUP_PROCESSES, 2, call_late, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(while_joining),
        cmocka_unit_test(in_a_call),
        cmocka_unit_test(not_disturbed),
    };
    return cmocka_run_group_tests_name("interrupt", tests, NULL, NULL);
}
