/* SPDX-License-Identifier: MIT */
/* test_coll_tiles.c - a transport with ranks as threads: bits, rings, several threads and groups. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coll_helper.h"

struct plan {
    int calls, threads;
    int64_t count, tiles;
};

/* The same sequence of calls on every rank, with all their parameters varying. */
static void calls_body(struct coll *coll, void *ctx)
{
    const struct plan *plan = ctx;
    uint64_t random = test_seed() + (uint64_t)plan->count;
    CHECK(coll->max_threads == plan->threads);
    for (int i = 0; i < plan->calls; i++) {
        struct helper_job job = {.tiles = 1 + (int64_t)(test_random(&random) % (uint64_t)plan->tiles),
                                 .count = 1 + (int64_t)(test_random(&random) % (uint64_t)plan->count),
                                 .algorithm = test_random(&random) % 2 ? COLL_OWNER : COLL_ONE_SHOT,
                                 .dtype = 1 + (int32_t)(test_random(&random) % 3),
                                 .in_rank_order = test_random(&random) % 4 == 0,
                                 .threads = plan->threads,
                                 .seed = test_random(&random)};
        if (!helper_good_call(coll, &job))
            break;
    }
}

static void run(int world_size, int threads, int calls, int64_t tiles, int64_t count)
{
    if (!ranks_transport_serves(world_size))
        return;
    struct plan plan = {calls, threads, count, tiles};
    struct helper_group group = {
        .world_size = world_size, .threads = threads, .timeout_ms = 60000, .body = calls_body, .ctx = &plan};
    group.id = helper_id();
    helper_run_threads(&group);
    assert_int_equal(expect_failures(), 0);
}

static void one_thread_per_rank(void **state)
{
    (void)state;
    static const int sizes[] = {1, 2, 3, 4, 5, 8};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        run(sizes[i], 1, 40, 40, 500);
}

static void several_threads_per_rank(void **state)
{
    (void)state;
    run(1, 4, 30, 60, 200);
    run(2, 2, 30, 60, 200);
    run(3, 3, 20, 60, 200);
    run(4, 2, 20, 60, 200);
}

static void whole_tiles(void **state)
{
    (void)state;
    run(2, 1, 4, 12, COLL_TILE_ELEMENTS);
}

static void many_short_calls(void **state)
{
    (void)state;
    run(2, 1, 1500, 1, 16);
    run(3, 1, 500, 2, 16);
}

static void the_largest_group(void **state)
{
    (void)state;
    run(MMARN_MAX_RANKS, 1, 3, 70, 50);
}

static void *run_one_of_several(void *arg)
{
    helper_run_threads(arg);
    return NULL;
}

static void several_groups_at_once(void **state)
{
    (void)state;
    struct plan plan = {60, 1, 100, 20};
    struct helper_group groups[4];
    pthread_t threads[4];
    test_seed();
    for (int i = 0; i < 4; i++) {
        groups[i] = (struct helper_group){
            .world_size = 2 + i % 2, .threads = 1, .timeout_ms = 60000, .body = calls_body, .ctx = &plan};
        groups[i].id = helper_id();
        pthread_create(&threads[i], NULL, run_one_of_several, &groups[i]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(expect_failures(), 0);
}

static void idle_body(struct coll *coll, void *ctx)
{
    (void)ctx;
    struct helper_job job = {.tiles = 1, .count = 8, .dtype = MMARN_F32, .threads = 1, .seed = 1};
    helper_good_call(coll, &job);
}

static void nothing_is_left_behind(void **state)
{
    (void)state;
    int descriptors = helper_descriptors();
    for (int i = 0; i < 200; i++) {
        struct helper_group group = {.world_size = 2, .threads = 1, .timeout_ms = 60000, .body = idle_body};
        group.id = helper_id();
        helper_run_threads(&group);
    }
    assert_int_equal(expect_failures(), 0);
    assert_int_equal(helper_descriptors(), descriptors);
    assert_int_equal(helper_mappings(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_per_rank),
        cmocka_unit_test(several_threads_per_rank),
        cmocka_unit_test(whole_tiles),
        cmocka_unit_test(many_short_calls),
        cmocka_unit_test(the_largest_group),
        cmocka_unit_test(several_groups_at_once),
        cmocka_unit_test(nothing_is_left_behind),
    };
    test_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
