/* SPDX-License-Identifier: MIT */
/*
 * test_thread_forks.c - children of a fork: the parent's threads are forgotten, whatever they were doing, and the child
 * has new ones; and a child for which the system refuses to make threads. None of them may hang.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sync.h"
#include "mmarn/mmarn.h"
#include "support/ranks.h"
#include "threads_helper.h"

/* As many forks as the time allows. */
enum { FORKS_LEAST = 20, FORKS_MOST = 3000, FORKS_MS = 15000, HANG_SECONDS = 60 };

/* True if it exits, and is not ended by a signal, such as the alarm of a child that hangs. */
static bool child_ends(pid_t child)
{
    return ranks_wait(child) >= 0;
}

static bool child_succeeds(pid_t child)
{
    return ranks_wait(child) == 0;
}

/* A real refusal by the system. A superuser is not limited, so the child becomes another user. */
static void limited_child(void **state)
{
    (void)state;
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit none = {1, 1};
        alarm(HANG_SECONDS);
        if (geteuid() == 0 && (setgid(64321) || setuid(64321)))
            _exit(0);
        setrlimit(RLIMIT_NPROC, &none);
        threads_hold(MOST, false);
        const struct meeting meeting = meet_with(MOST, 1);
        _exit(all_came(&meeting) && work_is_done(MOST, 100) ? 0 : 1);
    }
    assert_true(child_succeeds(child));
}

static bool group_works(void)
{
    float x[4] = {1, 2, 3, 4};
    const int64_t shape[1] = {4};
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    mmarn_tensor tensor = mmarn_tensor_make(x, MMARN_F32, 1, shape);
    mmarn_comm *comm = NULL;
    config.threads = 3;
    if (mmarn_comm_create(NULL, &config, &comm) != MMARN_OK)
        return false;
    const mmarn_status status = mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &tensor, &tensor);
    mmarn_comm_destroy(comm);
    return status == MMARN_OK && x[0] == 1 && x[3] == 4;
}

struct callers {
    atomic_bool stop;
    atomic_int wrong;
};

static void *call_always(void *arg)
{
    struct callers *callers = arg;
    while (!atomic_load(&callers->stop)) {
        for (int i = 0; i < 10; i++)
            atomic_fetch_add(&callers->wrong, !work_is_done(3, 50));
        usleep(100); /* otherwise the children get no processor */
    }
    return NULL;
}

static void forks_in_the_middle(void **state)
{
    (void)state;
#if defined(__SANITIZE_THREAD__)
    skip(); /* it refuses threads in the child of a process that had some */
#endif
    struct callers callers = {0};
    pthread_t handles[2];
    threads_hold(3, true);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&handles[i], NULL, call_always, &callers), 0);
    const int64_t deadline = sync_deadline(FORKS_MS);
    for (int i = 0; i < FORKS_LEAST || (i < FORKS_MOST && sync_now() < deadline); i++) {
        const pid_t child = fork();
        if (child == 0) {
            alarm(HANG_SECONDS);
            const struct meeting meeting = meet_with(3, 3);
            _exit(all_came(&meeting) && work_is_done(3, 100) && (i % 8 || group_works()) ? 0 : 1);
        }
        assert_true(child > 0 && child_succeeds(child));
    }
    atomic_store(&callers.stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(handles[i], NULL);
    threads_drop(true);
    assert_int_equal(atomic_load(&callers.wrong), 0);
}

struct forking {
    int by; /* the thread that forks */
    atomic_int came, forked;
    pid_t child, parent;
};

static void fork_inside(void *ctx, int thread)
{
    struct forking *forking = ctx;
    const int64_t deadline = sync_deadline(PATIENCE_MS);
    atomic_fetch_add(&forking->came, 1);
    while (atomic_load(&forking->came) < 3 && sync_now() < deadline) /* no thread leaves before all are here */
        sched_yield();
    if (thread == forking->by) {
        forking->child = fork();
        if (forking->child == 0)
            alarm(HANG_SECONDS);
        atomic_store(&forking->forked, 1);
    }
    while (!atomic_load(&forking->forked) && sync_now() < deadline)
        sched_yield();
}

/* The child continues in its parent's call, whose threads it does not have. */
static void forks_by_a_thread_of_a_call(void **state)
{
    (void)state;
#if defined(__SANITIZE_THREAD__)
    skip();
#endif
    threads_hold(3, false);
    for (int by = 0; by < 3; by++) {
        struct forking forking = {.by = by, .parent = getpid()};
        threads_run(3, fork_inside, &forking);
        if (getpid() != forking.parent) /* the caller's child: another thread's child ends with that thread */
            _exit(by == 0 && work_is_done(3, 100) ? 0 : 1);
        if (by == 0)
            assert_true(child_succeeds(forking.child));
        else
            assert_true(child_ends(forking.child));
    }
    threads_drop(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(limited_child), cmocka_unit_test(forks_in_the_middle),
                                       cmocka_unit_test(forks_by_a_thread_of_a_call)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
