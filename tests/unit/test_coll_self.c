/* SPDX-License-Identifier: MIT */
/* test_coll_self.c - the transport of one rank, with one and several threads, and the choice that coll_find makes. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coll_helper.h"

static struct coll *join_self(int threads, int timeout_ms)
{
    struct coll_options options = {.rank = 0, .world_size = 1, .threads = threads, .timeout_ms = timeout_ms};
    struct error error;
    struct coll *coll = NULL;
    const struct coll_transport *transport = coll_find(NULL, &options, &error);
    assert_non_null(transport);
    assert_string_equal(transport->name, "self");
    assert_true(transport->join(&options, &coll, &error));
    return coll;
}

static void tiles_of_one_rank(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 8; threads++) {
        struct coll *coll = join_self(threads, 30000);
        for (int call = 0; call < 20; call++) {
            struct helper_job job = {.tiles = 1 + call * 3,
                                     .count = 300,
                                     .algorithm = call % 2 ? COLL_ONE_SHOT : COLL_OWNER,
                                     .dtype = 1 + call % 3,
                                     .in_rank_order = call % 5 == 0,
                                     .threads = threads,
                                     .seed = test_seed() + (uint64_t)call};
            helper_good_call(coll, &job);
        }
        coll->transport->leave(coll);
    }
    assert_int_equal(expect_failures(), 0);
}

static void *abort_it(void *arg)
{
    struct coll *coll = arg;
    (coll->transport->fail)(coll, COLL_ABORTED); /* cmocka has a macro of that name */
    return NULL;
}

static void abort_ends_a_wait(void **state)
{
    (void)state;
    struct coll *coll = join_self(1, -1);
    const struct coll_call call = {.shape = {.tiles = 1}};
    struct error error;
    pthread_t thread;
    assert_true(coll_begin(coll, &call, &error));
    uint32_t ticket = coll->transport->wait_begin(coll);
    pthread_create(&thread, NULL, abort_it, coll);
    assert_false(coll->transport->wait(coll, ticket, &error));
    assert_int_equal(error.status, MMARN_ERR_ABORTED);
    pthread_join(thread, NULL);
    coll_end(coll, MMARN_ERR_ABORTED);
    error.status = MMARN_OK;
    assert_false(coll_begin(coll, &call, &error));
    assert_int_equal(error.status, MMARN_ERR_ABORTED);
    coll->transport->leave(coll);
}

static void a_wait_has_its_deadline(void **state)
{
    (void)state;
    struct coll *coll = join_self(1, 20);
    const struct coll_call call = {.shape = {.tiles = 1}};
    struct error error;
    assert_true(coll_begin(coll, &call, &error));
    uint32_t ticket = coll->transport->wait_begin(coll);
    assert_false(coll->transport->wait(coll, ticket, &error));
    assert_int_equal(error.status, MMARN_ERR_TIMEOUT);
    coll->transport->leave(coll);
}

static void find_names_what_it_knows(void **state)
{
    (void)state;
    const mmarn_id id = helper_id();
    struct error error;
    struct coll_options options = {.id = &id, .world_size = 2, .threads = 1};
    assert_string_equal(coll_find("auto", &options, &error)->name, "shm");
    assert_string_equal(coll_find("shm", &options, &error)->name, "shm");
    assert_null(coll_find("self", &options, &error));
    assert_int_equal(error.status, MMARN_ERR_UNSUPPORTED);
    assert_null(coll_find("carrier pigeon", &options, &error));
    assert_non_null(strstr(error.sentence, "carrier pigeon"));
    assert_non_null(strstr(error.sentence, "\"self\", \"shm\""));
    options.id = NULL;
    assert_null(coll_find(NULL, &options, &error));
    assert_non_null(strstr(error.sentence, "id"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_of_one_rank),
        cmocka_unit_test(abort_ends_a_wait),
        cmocka_unit_test(a_wait_has_its_deadline),
        cmocka_unit_test(find_names_what_it_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
