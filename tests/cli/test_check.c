/* SPDX-License-Identifier: MIT */
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

#include "measure/check.h"
#include "measure/ranks.h"
#include "reference/exact.h"
#include "reference/halffloat.h"
#include "reference/quantised.h"
#include "support/seed.h"

enum { RANKS = 2, ROWS = 5, K = 48, N = 66, GROUP_SIZE = 32, COUNT = ROWS * N };

static uint64_t seed;

struct fixture {
    struct job *job;
    struct data data[RANKS];
};

static void compute_partial(const struct workload *workload, const struct data *data, float *partial)
{
    const struct scenario *scenario = scenario_of(workload->dtype);
    if (scenario_is_int8(scenario)) {
        int32_t sums[COUNT];
        float scales[N];
        quantised_sums(ROWS, K, N, data->x1, data->x2, false, data->bias, sums);
        quantised_scales(scenario->scale, data->scale, N, N, scales);
        quantised_dequantise(ROWS, N, sums, scales, data->row_scale, partial);
    } else if (scenario_has_integer_weights(scenario)) {
        const struct quantised_weights weights = {
            scenario->x1, scenario->x2, K, N, data->x2, false, GROUP_SIZE, {data->scale, N, 1}, {data->offset, N, 1}};
        assert_true(quantised_partial(&weights, workload->numerics, ROWS, data->x1, data->bias, partial));
    } else {
        assert_true(exact_partial(scenario->x1, exact_chain(scenario->x1), ROWS, K, N, data->x1, data->x2, false,
                                  data->bias, partial));
    }
}

static void compute(struct fixture *fixture)
{
    float partial[RANKS][COUNT], mm[COUNT];
    const float *partials[RANKS] = {partial[0], partial[1]};
    const int32_t dtype = scenario_of(fixture->job->workload.dtype)->out;

    for (int rank = 0; rank < RANKS; rank++)
        compute_partial(&fixture->job->workload, &fixture->data[rank], partial[rank]);
    exact_reduce(dtype, MMARN_NUMERICS_DEFAULT, RANKS, COUNT, partials, mm);
    for (int rank = 0; rank < RANKS; rank++) {
        struct data *data = &fixture->data[rank];
        exact_add(dtype, COUNT, mm, data->residual, data->y);
        exact_norm((struct exact_norm_dtypes){dtype, dtype, dtype}, MMARN_NUMERICS_DEFAULT, ROWS, N, data->y,
                   data->gamma, JOB_EPSILON, data->norm_out);
    }
}

/* Fills in the results of the ranks of a job. */
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

static int set_up_type(void **state, int type)
{
    static struct fixture fixture;
    const struct scenario *scenario = scenario_of(type);
    fixture.job = ranks_shared_memory(sizeof(*fixture.job));
    assert_non_null(fixture.job);
    fixture.job->workload = (struct workload){.ranks = RANKS,
                                              .b = 1,
                                              .s = ROWS,
                                              .k = K,
                                              .n = N,
                                              .dtype = type,
                                              .bias = true,
                                              .scale = scenario_is_int8(scenario)               ? SCALE_PER_CHANNEL
                                                       : scenario_has_integer_weights(scenario) ? SCALE_PER_GROUP
                                                                                                : SCALE_NONE,
                                              .group_size = scenario_has_integer_weights(scenario) ? GROUP_SIZE : 0,
                                              .offset = scenario_has_integer_weights(scenario),
                                              .per_token = scenario_is_int8(scenario),
                                              .operators = 1,
                                              .seed = seed};
    assert_true(check_prepare(fixture.job));
    for (int rank = 0; rank < RANKS; rank++)
        assert_true(data_make(&fixture.job->workload, rank, &fixture.data[rank]));
    compute(&fixture);
    *state = &fixture;
    return 0;
}

static int set_up(void **state)
{
    return set_up_type(state, SCENARIO_BF16);
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

/* Each scenario with all its options; one wrong element is found. */
static void every_type_is_checked(void **state)
{
    (void)state;
    for (int type = SCENARIO_F16; type <= SCENARIO_BF16_INT4; type++) {
        struct fixture *fixture;
        void *any;
        float value;
        int32_t dtype;
        set_up_type(&any, type);
        fixture = any;
        dtype = fixture->job->problem.dtype;
        judge(fixture);
        assert_true(check_worst(fixture->job).ok);
        assert_true(check_bits_equal(fixture->job));
        value = halffloat_load(dtype, fixture->data[0].y, COUNT - 1);
        halffloat_store(dtype, fixture->data[0].y, COUNT - 1, value + 0.25);
        judge(fixture);
        assert_false(check_worst(fixture->job).ok);
        tear_down(&any);
    }
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
        cmocka_unit_test(every_type_is_checked),
        cmocka_unit_test_setup_teardown(one_wrong_element_of_one_rank_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_different_bit_of_one_rank_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(untouched_outputs_fail, set_up, tear_down),
    };
    seed = test_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
