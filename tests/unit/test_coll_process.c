/* SPDX-License-Identifier: MIT */
/*
 * test_coll_process.c - ranks as processes: right bits; ranks killed or stopped at every step; forking; leaving nothing
 * behind.
 */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "coll_helper.h"

enum { MOST = 8 };

struct plan {
    int victim;
    enum helper_point step;
    int64_t tile;
    int signal;
    int pipe[2];
    bool armed; /* in the victim's own process */
};

static struct helper_group make_group(int world_size, void (*body)(struct coll *coll, void *ctx), void *ctx)
{
    struct helper_group group = {.world_size = world_size, .threads = 1, .timeout_ms = 60000, .body = body, .ctx = ctx};
    group.id = helper_id();
    return group;
}

static struct helper_job make_job(enum coll_algorithm algorithm)
{
    return (struct helper_job){
        .tiles = 11, .count = 300, .algorithm = algorithm, .dtype = MMARN_BF16, .threads = 1, .seed = test_seed()};
}

static int files_in_shm(void)
{
    int count = 0;
    DIR *folder = opendir("/dev/shm");
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

static void good_body(struct coll *coll, void *ctx)
{
    (void)ctx;
    for (int i = 0; i < 30; i++) {
        struct helper_job job = make_job(i % 2 ? COLL_OWNER : COLL_ONE_SHOT);
        job.seed += (uint64_t)i;
        helper_good_call(coll, &job);
    }
}

static void ranks_as_processes(void **state)
{
    (void)state;
    int before = files_in_shm();
    for (int world_size = 1; world_size <= MOST; world_size++) {
        struct helper_group group = make_group(world_size, good_body, NULL);
        pid_t pids[MOST];
        for (int rank = 0; rank < world_size; rank++)
            pids[rank] = helper_fork(&group, rank, 1);
        for (int rank = 0; rank < world_size; rank++)
            assert_int_equal(ranks_wait(pids[rank]), 0);
    }
    assert_int_equal(files_in_shm(), before);
}

static void processes_and_threads_mixed(void **state)
{
    (void)state;
    struct helper_group group = make_group(6, good_body, NULL);
    pid_t first = helper_fork(&group, 0, 2);
    pid_t second = helper_fork(&group, 2, 3);
    pid_t third = helper_fork(&group, 5, 1);
    assert_int_equal(ranks_wait(first), 0);
    assert_int_equal(ranks_wait(second), 0);
    assert_int_equal(ranks_wait(third), 0);
}

static void signal_oneself(struct coll *coll, enum helper_point step, int64_t tile, void *ctx)
{
    struct plan *plan = ctx;
    if (plan->armed && coll->rank == plan->victim && step == plan->step && tile >= plan->tile) {
        plan->armed = false;
        raise(plan->signal);
    }
}

/* Calls with right bits until the victim's death is noticed: the error names the victim, and is not the deadline. */
static void survive(struct coll *coll, struct plan *plan, enum coll_algorithm algorithm)
{
    struct helper_job job = make_job(algorithm);
    uint16_t out[11 * 300], expected[11 * 300];
    mmarn_status status = MMARN_OK;
    job.hook = signal_oneself;
    job.ctx = plan;
    for (int i = 0; i < 10 && !status; i++) {
        plan->armed = i == 3;
        job.seed++;
        status = helper_all_reduce(coll, &job, out);
        helper_reference(&job, coll->world_size, expected);
        CHECK(status || !memcmp(out, expected, sizeof out));
        CHECK(!status || i == 3 || i == 4);
    }
    char name[32];
    CHECK(status == MMARN_ERR_PEER);
    snprintf(name, sizeof name, "rank %d (pid ", plan->victim);
    CHECK(!strncmp(helper_sentence(), name, strlen(name)) && strstr(helper_sentence(), "died"));
}

static void owner_body(struct coll *coll, void *ctx)
{
    survive(coll, ctx, COLL_OWNER);
}

static void one_shot_body(struct coll *coll, void *ctx)
{
    survive(coll, ctx, COLL_ONE_SHOT);
}

static void kill_at(enum helper_point step, int64_t tile, int victim, void (*body)(struct coll *coll, void *ctx))
{
    struct plan plan = {.victim = victim, .step = step, .tile = tile, .signal = SIGKILL};
    struct helper_group group = make_group(3, body, &plan);
    pid_t pids[3];
    for (int rank = 0; rank < 3; rank++)
        pids[rank] = helper_fork(&group, rank, 1);
    for (int rank = 0; rank < 3; rank++)
        assert_int_equal(ranks_wait(pids[rank]), rank == victim ? -SIGKILL : 0);
}

static void a_killed_rank_is_named(void **state)
{
    (void)state;
    int before = files_in_shm();
    for (int victim = 0; victim < 3; victim++)
        for (int step = HELPER_BEGUN; step < HELPER_POINTS; step++) {
            bool once = step == HELPER_BEGUN || step == HELPER_AGREED || step == HELPER_ENDED;
            for (int64_t tile = 0; tile <= (once ? 0 : 5); tile += 5) {
                kill_at((enum helper_point)step, tile, victim, owner_body);
                if (step != HELPER_REDUCED)
                    kill_at((enum helper_point)step, tile, victim, one_shot_body);
            }
        }
    assert_int_equal(files_in_shm(), before);
}

static void stopped_body(struct coll *coll, void *ctx)
{
    struct plan *plan = ctx;
    struct helper_job job = make_job(COLL_OWNER);
    job.hook = signal_oneself;
    job.ctx = plan;
    for (int i = 0; i < 6; i++) {
        plan->armed = i == 3;
        helper_good_call(coll, &job);
    }
}

static void a_stopped_rank_goes_on(void **state)
{
    (void)state;
    for (int step = HELPER_BEGUN; step < HELPER_POINTS; step++) {
        struct plan plan = {.victim = 1, .step = (enum helper_point)step, .signal = SIGSTOP};
        struct helper_group group = make_group(3, stopped_body, &plan);
        pid_t pids[3];
        int wait_status;
        for (int rank = 0; rank < 3; rank++)
            pids[rank] = helper_fork(&group, rank, 1);
        assert_int_equal(waitpid(pids[1], &wait_status, WUNTRACED), pids[1]);
        assert_true(WIFSTOPPED(wait_status));
        ranks_sleep(60);
        kill(pids[1], SIGCONT);
        for (int rank = 0; rank < 3; rank++)
            assert_int_equal(ranks_wait(pids[rank]), 0);
    }
}

/* A child that was forked while the group existed, and lives until the test ends, hides no death. */
static void forking_body(struct coll *coll, void *ctx)
{
    struct plan *plan = ctx;
    struct helper_job job = make_job(COLL_OWNER);
    uint16_t out[11 * 300];
    helper_good_call(coll, &job);
    if (coll->rank != 1) {
        CHECK(helper_all_reduce(coll, &job, out) == MMARN_ERR_PEER);
        CHECK(!strncmp(helper_sentence(), "rank 1 (pid ", 12));
        return;
    }
    if (!fork()) {
        char byte;
        coll->transport->forked(coll);
        close(plan->pipe[1]);
        _exit(read(plan->pipe[0], &byte, 1) < 0);
    }
    raise(SIGKILL);
}

static void a_child_does_not_hide_its_parents_death(void **state)
{
    (void)state;
    struct plan plan = {.victim = 1};
    assert_int_equal(pipe(plan.pipe), 0);
    struct helper_group group = make_group(2, forking_body, &plan);
    pid_t victim = helper_fork(&group, 1, 1);
    pid_t other = helper_fork(&group, 0, 1);
    assert_int_equal(ranks_wait(other), 0);
    assert_int_equal(ranks_wait(victim), -SIGKILL);
    close(plan.pipe[0]);
    close(plan.pipe[1]);
}

static void child_leaves_body(struct coll *coll, void *ctx)
{
    (void)ctx;
    struct helper_job job = make_job(COLL_OWNER);
    helper_good_call(coll, &job);
    pid_t pid = fork();
    if (!pid) {
        coll->transport->forked(coll);
        coll->transport->leave(coll);
        _exit(0);
    }
    CHECK(ranks_wait(pid) == 0);
    for (int i = 0; i < 5; i++)
        helper_good_call(coll, &job);
}

static void a_child_that_leaves_disturbs_nobody(void **state)
{
    (void)state;
    struct helper_group group = make_group(2, child_leaves_body, NULL);
    pid_t first = helper_fork(&group, 0, 1);
    pid_t second = helper_fork(&group, 1, 1);
    assert_int_equal(ranks_wait(first), 0);
    assert_int_equal(ranks_wait(second), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_as_processes),
        cmocka_unit_test(processes_and_threads_mixed),
        cmocka_unit_test(a_killed_rank_is_named),
        cmocka_unit_test(a_stopped_rank_goes_on),
        cmocka_unit_test(a_child_does_not_hide_its_parents_death),
        cmocka_unit_test(a_child_that_leaves_disturbs_nobody),
    };
    test_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
