/* SPDX-License-Identifier: MIT */
/*
 * test_threads.c - the threads inside a rank: which thread runs what, what happens when there are fewer than asked for,
 * where they run, and when they end. The program is linked so that this file can make the creation of threads fail.
 * With the argument "bound" the environment binds threads, one to each processor, and sets limits (CMakeLists.txt).
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "base/sync.h"
#include "mmarn/mmarn.h"
#include "tasks.h"
#include "threads_helper.h"

/* ------------------------------------------------------------------------------------- threads that cannot be had */

int __real_pthread_create(pthread_t *handle, const pthread_attr_t *attributes, void *(*start)(void *), void *arg);
int __wrap_pthread_create(pthread_t *handle, const pthread_attr_t *attributes, void *(*start)(void *), void *arg);

static atomic_int granted = INT32_MAX; /* how many creations succeed before the system has no more */

int __wrap_pthread_create(pthread_t *handle, const pthread_attr_t *attributes, void *(*start)(void *), void *arg)
{
    if (atomic_fetch_sub(&granted, 1) <= 0) {
        atomic_fetch_add(&granted, 1);
        return EAGAIN;
    }
    return __real_pthread_create(handle, attributes, start, arg);
}

/* ---------------------------------------------------------------------------------------------- who runs what */

static void each_runs_once(void **state)
{
    (void)state;
    threads_hold(MOST, false);
    for (int round = 0; round < 50; round++)
        for (int threads = 1; threads <= MOST; threads++) {
            const struct meeting meeting = meet_with(threads, threads);
            assert_true(all_came(&meeting));
        }
    threads_drop(false);
}

static void nobody_comes_late(void **state)
{
    (void)state;
    for (int crowded = 0; crowded < 2; crowded++) {
        threads_hold(MOST, crowded);
        for (int round = 0; round < 2000; round++)
            assert_true(work_is_done(2 + round % (MOST - 1), round % 100));
        threads_drop(crowded);
    }
}

static void without_a_group_there_is_one(void **state)
{
    (void)state;
    const struct meeting meeting = meet_with(MOST, 1);
    assert_true(all_came(&meeting));
}

static void run_inside(void *ctx, int thread)
{
    atomic_int *wrong = ctx;
    (void)thread;
    atomic_fetch_add(wrong, !work_is_done(3, 200));
    atomic_fetch_add(wrong, !work_is_done(2, 50));
}

struct rank {
    int number;
    atomic_int wrong;
};

static void *rank_main(void *arg)
{
    struct rank *rank = arg;
    const int threads = 2 + rank->number % 3;
    threads_hold(threads, true);
    for (int round = 0; round < 300; round++)
        atomic_fetch_add(&rank->wrong, !work_is_done(threads, round));
    for (int round = 0; round < 10; round++) {
        struct meeting meeting = meet_with(threads, threads);
        atomic_fetch_add(&rank->wrong, !all_came(&meeting));
        threads_run(threads, run_inside, &rank->wrong);
    }
    threads_drop(true);
    return NULL;
}

/* Each rank has its own threads, and may call from within a call. */
static void ranks_as_threads(void **state)
{
    (void)state;
    struct rank ranks[MOST] = {0};
    pthread_t handles[MOST];
    for (int i = 0; i < MOST; i++) {
        ranks[i].number = i;
        assert_int_equal(pthread_create(&handles[i], NULL, rank_main, &ranks[i]), 0);
    }
    for (int i = 0; i < MOST; i++) {
        pthread_join(handles[i], NULL);
        assert_int_equal(atomic_load(&ranks[i].wrong), 0);
    }
}

/* --------------------------------------------------------------------------------------------------- the end of it */

static void *call_once(void *arg)
{
    atomic_int *wrong = arg;
    atomic_fetch_add(wrong, !work_is_done(3, 100));
    return NULL;
}

static void threads_end_with_the_last_group(void **state)
{
    (void)state;
    atomic_int wrong = 0;
    assert_true(tasks_become(0));
    threads_hold(3, false);
    assert_int_equal(tasks_count(), 2);
    threads_hold(5, false);
    assert_int_equal(tasks_count(), 4);
    /* When threads have ended, none remain. */
    for (int i = 0; i < 20; i++) {
        pthread_t caller;
        assert_int_equal(pthread_create(&caller, NULL, call_once, &wrong), 0);
        pthread_join(caller, NULL);
    }
    assert_int_equal(atomic_load(&wrong), 0);
    assert_true(tasks_become(4));
    threads_drop(false);
    assert_int_equal(tasks_count(), 4);
    threads_drop(false);
    assert_true(tasks_become(0));
}

/* ---------------------------------------------------------------------------------------------------------- shortage
 */

static char noted[512];
static int notes;

static void hear(void *ctx, mmarn_status status, const char *sentence)
{
    (void)ctx;
    notes += status == MMARN_OK;
    snprintf(noted, sizeof noted, "%s", sentence);
}

static void shortage(void **state)
{
    (void)state;
    mmarn_set_logger(hear, NULL);
    for (int have = 0; have < 4; have++) {
        atomic_store(&granted, have);
        threads_hold(6, false);
        const struct meeting meeting = meet_with(6, have + 1);
        const bool done = work_is_done(6, 500);
        atomic_store(&granted, INT32_MAX);
        assert_true(all_came(&meeting) && done);
        if (have == 3) { /* and later more are available */
            usleep(1100000);
            const struct meeting later = meet_with(6, 6);
            assert_true(all_came(&later));
        }
        threads_drop(false);
    }
    mmarn_set_logger(NULL, NULL);
    assert_int_equal(notes, 1);
    assert_non_null(strstr(noted, "a rank has 1 of its 6 threads, as the system grants no more ("));
}

/* ---------------------------------------------------------------------------------------- signals and processors */

static void signals_are_blocked(void **state)
{
    (void)state;
    sigset_t before, after;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    threads_hold(4, false);
    const struct meeting meeting = meet_with(4, 4);
    threads_drop(false);
    assert_true(all_came(&meeting));
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    for (int number = 1; number < 32; number++) {
        assert_int_equal(sigismember(&before, number), sigismember(&after, number));
        for (int thread = 1; thread < 4 && number != SIGKILL && number != SIGSTOP; thread++)
            assert_true(sigismember(&meeting.blocked[thread], number));
    }
}

static struct affinity first_of(const struct affinity *mask)
{
    struct affinity first = {0};
    for (int i = 0; i < AFFINITY_PROCESSORS && affinity_count(&first) == 0; i++)
        if (affinity_has(mask, i))
            affinity_add(&first, i);
    return first;
}

static bool all_run_on(const struct meeting *meeting, const struct affinity *mask)
{
    bool ok = all_came(meeting);
    for (int thread = 0; thread < meeting->expected; thread++)
        ok = ok && affinity_same(&meeting->masks[thread], mask);
    return ok;
}

/* Threads follow their caller, when a group is made and when another caller uses them. */
static void processors_change(void **state)
{
    (void)state;
    struct affinity before;
    assert_true(affinity_get(&before));
    const struct affinity one = first_of(&before);
    threads_hold(3, false);
    struct meeting meeting = meet_with(3, 3);
    assert_true(all_run_on(&meeting, &before));
    assert_true(affinity_set(&one));
    threads_hold(4, false);
    meeting = meet_with(4, 4);
    assert_true(all_run_on(&meeting, &one));
    assert_true(affinity_set(&before));
    threads_hold(2, false);
    meeting = meet_with(4, 4);
    assert_true(all_run_on(&meeting, &before));
    for (int i = 0; i < 3; i++)
        threads_drop(false);
}

/* A call of two, after which the second is on the processor of the first. */
struct crowding {
    struct meeting meeting;
    atomic_int processors[2]; /* where they were at first */
};

static void crowd(void *ctx, int thread)
{
    struct crowding *crowding = ctx;
    atomic_store(&crowding->processors[thread], cpu_current());
    meet(&crowding->meeting, thread);
    if (thread == 1) {
        struct affinity one = {0};
        affinity_add(&one, atomic_load(&crowding->processors[0]));
        affinity_set(&one);
        affinity_set(&crowding->meeting.masks[1]);
    }
}

/* It leaves by itself; the system may have put both together, but not always, and what they may use stays. */
static void threads_move_apart(void **state)
{
    (void)state;
    enum { CALLS = 100 };
    struct affinity before;
    int together = 0;
    assert_true(affinity_get(&before));
    if (affinity_count(&before) < 2)
        skip();
    threads_hold(2, false);
    for (int i = 0; i < CALLS; i++) {
        struct crowding crowding = {.meeting.expected = 2};
        usleep(2000);
        threads_run(2, crowd, &crowding);
        assert_true(all_run_on(&crowding.meeting, &before));
        together += atomic_load(&crowding.processors[0]) == atomic_load(&crowding.processors[1]);
    }
    threads_drop(false);
    assert_true(together < CALLS / 2);
}

/* ----------------------------------------------------------------------------------------------- bound, limited */

static void limits(void **state)
{
    (void)state;
    assert_int_equal(threads_limit(), 3);
    assert_true(threads_bound());
    threads_hold(MOST, false);
    const struct meeting meeting = meet_with(MOST, 4); /* OMP_THREAD_LIMIT */
    assert_true(all_came(&meeting));
    threads_drop(false);
}

/* Each thread has its own place while there are enough places; the caller is not moved. */
static void places(void **state)
{
    (void)state;
    struct affinity before;
    assert_true(affinity_get(&before));
    threads_hold(2, false);
    struct meeting meeting = meet_with(2, 2);
    assert_true(all_came(&meeting));
    assert_true(affinity_same(&meeting.masks[0], &before));
    struct affinity others = before;
    const struct affinity first = first_of(&before);
    if (affinity_count(&before) > 1)
        CPU_XOR_S(sizeof others, others.sets, others.sets, first.sets);
    const struct affinity second = first_of(&others);
    assert_true(affinity_same(&meeting.masks[1], &second));
    /* Places are within what the caller may use. */
    assert_true(affinity_set(&first));
    threads_hold(2, false);
    meeting = meet_with(2, 2);
    assert_true(all_run_on(&meeting, &first));
    assert_true(affinity_set(&before));
    threads_drop(false);
    threads_drop(false);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_runs_once),
        cmocka_unit_test(nobody_comes_late),
        cmocka_unit_test(without_a_group_there_is_one),
        cmocka_unit_test(ranks_as_threads),
        cmocka_unit_test(threads_end_with_the_last_group),
        cmocka_unit_test(shortage),
        cmocka_unit_test(signals_are_blocked),
        cmocka_unit_test(processors_change),
        cmocka_unit_test(threads_move_apart),
    };
    const struct CMUnitTest bound[] = {cmocka_unit_test(limits), cmocka_unit_test(places)};
    if (argc > 1 && strcmp(argv[1], "bound") == 0)
        return cmocka_run_group_tests_name("bound", bound, NULL, NULL);
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
