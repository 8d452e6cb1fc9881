/*
 * test_check.c - cli/check.h must notice what mmarn run exists to notice: one wrong element, and one rank with one
 * different bit. The outputs come from the rounding-exact model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/check.h"
#include "cli/ranks.h"
#include "reference/exact.h"
#include "reference/halffloat.h"

enum { RANKS = 2, ROWS = 5, K = 48, N = 67, COUNT = ROWS * N };

static uint64_t seed;

struct fixture {
    struct job *job;
    struct data data[RANKS];
};

static void compute(struct fixture *fixture)
{
    float partial[RANKS][COUNT], mm[COUNT];
    const float *partials[RANKS] = {partial[0], partial[1]};
    const int dtype = fixture->job->workload.dtype;

    for (int rank = 0; rank < RANKS; rank++)
        assert_true(exact_partial(dtype, ROWS, K, N, fixture->data[rank].x1, fixture->data[rank].x2, false,
                                  fixture->data[rank].bias, partial[rank]));
    exact_reduce(dtype, MMARN_NUMERICS_DEFAULT, RANKS, COUNT, partials, mm);
    for (int rank = 0; rank < RANKS; rank++) {
        struct data *data = &fixture->data[rank];
        exact_add(dtype, COUNT, mm, data->residual, data->y);
        exact_norm(dtype, MMARN_NUMERICS_DEFAULT, ROWS, N, data->y, data->gamma, JOB_EPSILON, data->norm_out);
    }
}

/* Fills in what the ranks of a job would. */
static void judge(struct fixture *fixture)
{
    struct job *job = fixture->job;
    for (int rank = 0; rank < RANKS; rank++)
        assert_true(check_partials(job, rank, &fixture->data[rank]));
    for (int rank = 0; rank < RANKS; rank++) {
        assert_true(check_compare(job, &fixture->data[rank], &job->rank[rank].bound));
        job->rank[rank].hash = check_hash(&job->workload, &fixture->data[rank]);
    }
}

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture.job = ranks_shared_memory(sizeof(*fixture.job));
    assert_non_null(fixture.job);
    fixture.job->workload = (struct workload){.ranks = RANKS,
                                              .b = 1,
                                              .s = ROWS,
                                              .k = K,
                                              .n = N,
                                              .dtype = MMARN_BF16,
                                              .bias = true,
                                              .operators = 1,
                                              .seed = seed};
    assert_true(check_prepare(fixture.job));
    for (int rank = 0; rank < RANKS; rank++) {
        assert_true(data_make(&fixture.job->workload, rank, &fixture.data[rank]));
        data_fill_x2(&fixture.job->workload, rank, 0, fixture.data[rank].x2);
    }
    compute(&fixture);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    for (int rank = 0; rank < RANKS; rank++)
        data_free(&fixture->data[rank]);
    check_free(fixture->job);
    ranks_shared_free(fixture->job, sizeof(*fixture->job));
    return 0;
}

static void right_results_pass(void **state)
{
    struct fixture *fixture = *state;
    judge(fixture);
    assert_true(check_worst(fixture->job).ok);
    assert_true(check_bits_equal(fixture->job));
}

static void one_wrong_element_of_one_rank_fails(void **state)
{
    struct fixture *fixture = *state;
    const size_t index = (size_t)(seed % COUNT);
    void *tensors[2] = {fixture->data[1].y, fixture->data[1].norm_out};
    for (int t = 0; t < 2; t++) {
        const float value = halffloat_load(MMARN_BF16, tensors[t], index);
        halffloat_store(MMARN_BF16, tensors[t], index, value + 0.25);
        judge(fixture);
        assert_false(check_worst(fixture->job).ok);
        assert_false(check_bits_equal(fixture->job));
        halffloat_store(MMARN_BF16, tensors[t], index, value);
    }
}

static void one_different_bit_of_one_rank_fails(void **state)
{
    struct fixture *fixture = *state;
    uint16_t *tensors[2] = {fixture->data[1].y, fixture->data[1].norm_out};
    for (int t = 0; t < 2; t++)
        for (size_t index = 0; index < COUNT; index++)
            for (int bit = 0; bit < 16; bit++) {
                tensors[t][index] ^= (uint16_t)(1u << bit);
                assert_true(check_hash(&fixture->job->workload, &fixture->data[0]) !=
                            check_hash(&fixture->job->workload, &fixture->data[1]));
                tensors[t][index] ^= (uint16_t)(1u << bit);
            }
}

static void untouched_outputs_fail(void **state)
{
    struct fixture *fixture = *state;
    for (int rank = 0; rank < RANKS; rank++)
        memset(fixture->data[rank].norm_out, 0xff, COUNT * sizeof(uint16_t));
    judge(fixture);
    assert_true(check_bits_equal(fixture->job));
    assert_false(check_worst(fixture->job).ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(right_results_pass, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_wrong_element_of_one_rank_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_different_bit_of_one_rank_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(untouched_outputs_fail, set_up, tear_down),
    };
    seed = getenv("MMARN_TEST_SEED") != NULL ? strtoull(getenv("MMARN_TEST_SEED"), NULL, 10) : (uint64_t)time(NULL);
    print_message("MMARN_TEST_SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
