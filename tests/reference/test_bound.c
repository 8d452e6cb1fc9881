/* SPDX-License-Identifier: MIT */
/*
 * test_bound.c - tests the error bound against the rounding-exact model, and against mistakes: a mistake that the bound
 * did not notice would escape every test that uses it. In every scenario: floats, quantised weights, int8 x int8.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reference/bound.h"
#include "reference/exact.h"
#include "reference/halffloat.h"
#include "reference/quantised.h"
#include "reference/random.h"
#include "support/seed.h"

enum { MOST_RANKS = 8, GROUP_SIZE = 32 };

static const double EPSILON = 1e-6;
static uint64_t seed;

/* dtype is that of residual and outputs, and of x1 unless that is int8. x2: 0 means the same as dtype. */
struct scenario {
    int32_t dtype, x1, x2;
    bool offset, groups; /* of quantised weights */
    bool per_token;      /* of int8 x1 */
};

static const struct scenario scenarios[] = {
    {MMARN_F16, 0, 0, false, false, false},
    {MMARN_BF16, 0, 0, false, false, false},
    {MMARN_F32, 0, 0, false, false, false},
    {MMARN_F16, 0, MMARN_I8, false, false, false},
    {MMARN_F16, 0, MMARN_I8, true, true, false},
    {MMARN_BF16, 0, MMARN_I8, true, false, false},
    {MMARN_F32, 0, MMARN_I8, true, true, false},
    {MMARN_F16, 0, MMARN_I4, true, false, false},
    {MMARN_BF16, 0, MMARN_I4, false, true, false},
    {MMARN_F16, MMARN_I8, MMARN_I8, false, false, false},
    {MMARN_BF16, MMARN_I8, MMARN_I8, false, false, true},
    {MMARN_F32, MMARN_I8, MMARN_I8, false, false, true},
};
enum { SCENARIOS = sizeof(scenarios) / sizeof(scenarios[0]) };

/* One problem of all ranks, in one process. */
struct problem {
    struct scenario scenario;
    int32_t dtype, numerics;
    int ranks;
    int64_t rows, k, n;
    bool trans_x2, with_bias;
    void *x1[MOST_RANKS], *x2[MOST_RANKS], *bias[MOST_RANKS];
    struct quantised_weights weights[MOST_RANKS];
    float *scales[MOST_RANKS], *row_scale[MOST_RANKS]; /* of int8 x1; row_scale is NULL if there is none */
    void *residual, *gamma, *y, *norm_out;
    int64_t *numbers; /* of all rows */
    struct bound_term *terms;
    struct bound_problem bound;
};

/* Large enough for any type. */
static void *memory(int64_t count)
{
    return malloc(sizeof(double) * (size_t)count + 1);
}

static void *random_tensor(const struct problem *problem, uint64_t stream, float mean, float deviation, int64_t count)
{
    void *data = memory(count);
    random_normal(random_key(seed, stream), problem->dtype, mean, deviation, data, (size_t)count);
    return data;
}

static void *random_quanta(uint64_t stream, int32_t dtype, float deviation, int64_t count)
{
    void *data = memory(count);
    random_quanta_normal(random_key(seed, stream), dtype, deviation, data, (size_t)count);
    return data;
}

static void *random_scale(uint64_t stream, int32_t dtype, float middle, int64_t count)
{
    void *data = memory(count);
    random_scales(random_key(seed, stream), dtype, middle, 1, data, (size_t)count);
    return data;
}

/* The sums over k of all ranks together have a standard deviation of about 1 in every scenario. */
static void make_int8(struct problem *problem, int rank, uint64_t stream)
{
    const int64_t rows = problem->rows, k = problem->k, n = problem->n;
    const float deviation = 127.0f / 4.5f, terms = (float)k * (float)problem->ranks;
    const float middle = 1.0f / (deviation * deviation * sqrtf(terms));
    problem->x1[rank] = random_quanta(stream, MMARN_I8, deviation, rows * k);
    problem->x2[rank] = random_quanta(stream + 1, MMARN_I8, deviation, k * n);
    problem->scales[rank] = random_scale(stream + 3, MMARN_F32, middle, n);
    problem->row_scale[rank] = problem->scenario.per_token ? random_scale(stream + 4, MMARN_F32, 1.0f, rows) : NULL;
    if (problem->with_bias) {
        int32_t *bias = problem->bias[rank] = memory(n);
        for (int64_t j = 0; j < n; j++)
            bias[j] = (int32_t)(random_word(random_key(seed, stream + 2), (uint64_t)j) % 20001) - 10000;
    }
}

static void make_weights(struct problem *problem, int rank, uint64_t stream)
{
    const int64_t k = problem->k, n = problem->n;
    const struct scenario *scenario = &problem->scenario;
    const int64_t groups = scenario->groups ? (k + GROUP_SIZE - 1) / GROUP_SIZE : 1;
    const float deviation = scenario->x2 == MMARN_I8 ? 28.0f : 2.8f;
    const float middle = 1.0f / (deviation * sqrtf((float)k * (float)problem->ranks));
    struct quantised_weights *weights = &problem->weights[rank];

    problem->x2[rank] = random_quanta(stream + 1, scenario->x2, deviation, k * n);
    *weights = (struct quantised_weights){.dtype = problem->dtype,
                                          .x2_dtype = scenario->x2,
                                          .k = k,
                                          .n = n,
                                          .x2 = problem->x2[rank],
                                          .trans_x2 = problem->trans_x2,
                                          .group_size = scenario->groups ? GROUP_SIZE : 0};
    weights->scale = (struct quantised_values){random_scale(stream + 3, problem->dtype, middle, groups * n), n, 1};
    if (scenario->offset)
        weights->offset = (struct quantised_values){random_tensor(problem, stream + 4, 0.0f, 2.0f, groups * n), n, 1};
}

static void make_inputs(struct problem *problem)
{
    const int64_t rows = problem->rows, k = problem->k, n = problem->n;
    const float deviation = (float)(1.0 / sqrt((double)k * problem->ranks));

    for (int rank = 0; rank < problem->ranks; rank++) {
        const uint64_t stream = 100 + 5 * (uint64_t)rank;
        if (problem->scenario.x1 == MMARN_I8) {
            make_int8(problem, rank, stream);
            continue;
        }
        problem->x1[rank] = random_tensor(problem, stream, 0.0f, 1.0f, rows * k);
        problem->bias[rank] = problem->with_bias ? random_tensor(problem, stream + 2, 0.0f, 1.0f, n) : NULL;
        if (problem->scenario.x2 != 0)
            make_weights(problem, rank, stream);
        else
            problem->x2[rank] = random_tensor(problem, stream + 1, 0.0f, deviation, k * n);
    }
    problem->residual = random_tensor(problem, 10, 0.0f, 1.0f, rows * n);
    problem->gamma = random_tensor(problem, 11, 1.0f, 0.25f, n);
    problem->y = random_tensor(problem, 12, 0.0f, 1.0f, rows * n);
    problem->norm_out = random_tensor(problem, 13, 0.0f, 1.0f, rows * n);
}

static void exact_share(const struct problem *problem, int rank, float *partial)
{
    const int64_t rows = problem->rows, k = problem->k, n = problem->n;
    if (problem->scenario.x1 == MMARN_I8) {
        int32_t *sums = memory(rows * n);
        quantised_sums(rows, k, n, problem->x1[rank], problem->x2[rank], problem->trans_x2, problem->bias[rank], sums);
        quantised_dequantise(rows, n, sums, problem->scales[rank], problem->row_scale[rank], partial);
        free(sums);
    } else if (problem->scenario.x2 != 0) {
        assert_true(quantised_partial(&problem->weights[rank], problem->numerics, rows, problem->x1[rank],
                                      problem->bias[rank], partial));
    } else {
        assert_true(exact_partial(problem->dtype, exact_chain(problem->dtype), rows, k, n, problem->x1[rank],
                                  problem->x2[rank], problem->trans_x2, problem->bias[rank], partial));
    }
}

static void compute_exact(struct problem *problem)
{
    const int64_t rows = problem->rows, n = problem->n;
    float *partials[MOST_RANKS], *mm = memory(rows * n);

    for (int rank = 0; rank < problem->ranks; rank++) {
        partials[rank] = memory(rows * n);
        exact_share(problem, rank, partials[rank]);
    }
    exact_reduce(problem->dtype, problem->numerics, problem->ranks, rows * n, (const float *const *)partials, mm);
    exact_add(problem->dtype, rows * n, mm, problem->residual, problem->y);
    exact_norm((struct exact_norm_dtypes){problem->dtype, problem->dtype, problem->dtype}, problem->numerics, rows, n,
               problem->y, problem->gamma, EPSILON, problem->norm_out);
    for (int rank = 0; rank < problem->ranks; rank++)
        free(partials[rank]);
    free(mm);
}

static void reference_share(const struct problem *problem, const struct bound_problem *bound, int rank,
                            struct bound_term *terms)
{
    const void *x1 = problem->x1[rank], *x2 = problem->x2[rank], *bias = problem->bias[rank];
    bool ok;
    if (problem->scenario.x1 == MMARN_I8)
        ok = bound_partials_int8(bound, problem->k, x1, x2, problem->trans_x2, bias, problem->scales[rank],
                                 problem->row_scale[rank], terms);
    else if (problem->scenario.x2 != 0)
        ok = bound_partials_quantised(bound, &problem->weights[rank], x1, bias, terms);
    else
        ok = bound_partials(bound, problem->k, x1, x2, problem->trans_x2, bias, terms);
    assert_true(ok);
}

static void compute_reference(struct problem *problem)
{
    const int64_t rows = problem->rows, n = problem->n;
    problem->numbers = memory(rows);
    for (int64_t i = 0; i < rows; i++)
        problem->numbers[i] = i;
    problem->terms = malloc(sizeof(*problem->terms) * (size_t)(problem->ranks * rows * n));
    problem->bound = (struct bound_problem){problem->dtype, problem->numerics, problem->ranks, n, EPSILON,
                                            rows,           problem->numbers,  BOUND_WHOLE};
    for (int rank = 0; rank < problem->ranks; rank++)
        reference_share(problem, &problem->bound, rank, problem->terms + rank * rows * n);
}

static struct bound_result compare(const struct problem *problem)
{
    const struct bound_outputs outputs = {problem->residual, problem->gamma, problem->y, problem->norm_out, NULL};
    struct bound_result result;
    assert_true(bound_compare(&problem->bound, problem->terms, &outputs, &result));
    return result;
}

static void drop(struct problem *problem)
{
    for (int rank = 0; rank < problem->ranks; rank++) {
        free(problem->x1[rank]);
        free(problem->x2[rank]);
        free(problem->bias[rank]);
        free((void *)problem->weights[rank].scale.data);
        free((void *)problem->weights[rank].offset.data);
        free(problem->scales[rank]);
        free(problem->row_scale[rank]);
    }
    free(problem->residual);
    free(problem->gamma);
    free(problem->y);
    free(problem->norm_out);
    free(problem->numbers);
    free(problem->terms);
}

static struct problem make_problem(int number, int32_t numerics, int ranks, int64_t rows, int64_t k, int64_t n)
{
    struct problem problem = {.scenario = scenarios[number],
                              .dtype = scenarios[number].dtype,
                              .numerics = numerics,
                              .ranks = ranks,
                              .rows = rows,
                              .k = k,
                              .n = n};
    problem.trans_x2 = ranks % 2 == 0;
    problem.with_bias = ranks % 3 == 0;
    make_inputs(&problem);
    compute_exact(&problem);
    compute_reference(&problem);
    return problem;
}

static void model_is_within_the_bound(void **state)
{
    static const int64_t sizes[][3] = {{9, 100, 75}, {3, 1, 1}, {2, 1, 130}, {4, 300, 8}, {16, 7, 1}, {2, 1100, 12}};
    (void)state;
    for (int number = 0; number < SCENARIOS; number++)
        for (int32_t numerics = 0; numerics <= MMARN_NUMERICS_FP32; numerics++)
            for (int ranks = 1; ranks <= MOST_RANKS; ranks++)
                for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                    struct problem problem =
                        make_problem(number, numerics, ranks, sizes[i][0], sizes[i][1], sizes[i][2]);
                    const struct bound_result result = compare(&problem);
                    if (!result.ok)
                        print_message("scenario %d numerics %d ranks %d size %zu: y %g, norm_out %g of the bound\n",
                                      number, numerics, ranks, i, result.y, result.norm);
                    assert_true(result.ok);
                    assert_true(result.y <= 1.0 && result.norm <= 1.0);
                    drop(&problem);
                }
}

/*
 * Rows whose squares overflow fp32: with rescaling they keep the bound of ordinary rows; ASCEND makes their norm_out
 * zero.
 */
static void huge_rows(void **state)
{
    (void)state;
    for (int number = 0; number < SCENARIOS; number++)
        for (int32_t numerics = 0; numerics <= MMARN_NUMERICS_FP32; numerics++)
            for (int power = 62; power <= 122 && scenarios[number].dtype != MMARN_F16; power += 20) {
                struct problem problem = make_problem(number, numerics, 2, 4, 30, 45);
                for (size_t i = 0; i < 4 * 45; i++)
                    halffloat_store(problem.dtype, problem.residual, i,
                                    ldexp(halffloat_load(problem.dtype, problem.residual, i), power));
                compute_exact(&problem);
                const struct bound_result result = compare(&problem);
                assert_true(result.y <= 1.0);
                assert_true(result.ok == (numerics != MMARN_NUMERICS_ASCEND));
                drop(&problem);
            }
}

/* Moves one element by this many last places at the given magnitude. */
static void corrupt(const struct problem *problem, void *tensor, size_t index, double magnitude, double ulps)
{
    const double value = halffloat_load(problem->dtype, tensor, index);
    halffloat_store(problem->dtype, tensor, index, value + ulps * halffloat_ulp(problem->dtype, magnitude));
}

/* Does the bound notice one element that is this many last places away, upwards or downwards? */
static bool noticed(const struct problem *problem, void *tensor, size_t index, double magnitude, double ulps)
{
    const float before = halffloat_load(problem->dtype, tensor, index);
    bool up, down;
    corrupt(problem, tensor, index, magnitude, ulps);
    up = !compare(problem).ok;
    halffloat_store(problem->dtype, tensor, index, before);
    corrupt(problem, tensor, index, magnitude, -ulps);
    down = !compare(problem).ok;
    halffloat_store(problem->dtype, tensor, index, before);
    return up || down;
}

/*
 * The bound of y is one last place (a half for mm_out, a half for y), that of norm_out two, and slightly more. So of
 * two values that are two (three) places above and below a right one, at least one must be refused.
 */
static void bound_notices_one_wrong_element(void **state)
{
    (void)state;
    for (int number = 0; number < SCENARIOS; number++)
        for (int32_t numerics = 0; numerics <= MMARN_NUMERICS_FP32; numerics += MMARN_NUMERICS_FP32)
            for (int ranks = 1; ranks <= 3 && scenarios[number].dtype != MMARN_F32; ranks++) {
                struct problem problem = make_problem(number, numerics, ranks, 4, 200, 90);
                const int32_t dtype = problem.dtype;
                const size_t index = (size_t)(random_word(random_key(seed, 20), (uint64_t)ranks) % (4 * 90));
                const double add = fabs(halffloat_load(dtype, problem.residual, index));
                const double y = fabs(halffloat_load(dtype, problem.y, index));
                const double scale = fmax(fmax(add, y), fabs(y - add)), norm_scale = fmax(scale, 1.0) * 2.0;
                assert_true(compare(&problem).ok);
                assert_true(noticed(&problem, problem.y, index, scale, 2.0));
                assert_true(noticed(&problem, problem.norm_out, index, norm_scale, 3.0));
                drop(&problem);
            }
}

/* In every mode: a NaN, an infinity, a missing bias of one rank, and swapped rows. */
static void bound_notices_gross_mistakes(void **state)
{
    (void)state;
    for (int number = 0; number < SCENARIOS; number++)
        for (int32_t numerics = 0; numerics <= MMARN_NUMERICS_FP32; numerics++) {
            struct problem problem = make_problem(number, numerics, 3, 4, 64, 33);
            const int32_t dtype = problem.dtype;
            const float before = halffloat_load(dtype, problem.norm_out, 50);
            halffloat_store(dtype, problem.norm_out, 50, (double)NAN);
            assert_false(compare(&problem).ok);
            halffloat_store(dtype, problem.norm_out, 50, INFINITY);
            assert_false(compare(&problem).ok);
            halffloat_store(dtype, problem.norm_out, 50, before);
            assert_true(compare(&problem).ok);
            problem.numbers[0] = 1;
            assert_false(compare(&problem).ok);
            problem.numbers[0] = 0;
            void *bias = problem.bias[1];
            problem.bias[1] = NULL;
            compute_exact(&problem);
            assert_false(compare(&problem).ok);
            problem.bias[1] = bias;
            drop(&problem);
        }
}

/* An operator that ignored a scale's group, an offset, or a row's scale. */
static void bound_notices_forgotten_scales(void **state)
{
    (void)state;
    for (int number = 0; number < SCENARIOS; number++) {
        struct problem problem = make_problem(number, MMARN_NUMERICS_DEFAULT, 2, 4, 64, 33);
        struct quantised_weights *weights = &problem.weights[1];
        const struct quantised_values offset = weights->offset;
        float *row_scale = problem.row_scale[1];
        if (problem.scenario.groups) {
            weights->group_size = 0;
            compute_exact(&problem);
            assert_false(compare(&problem).ok);
            weights->group_size = GROUP_SIZE;
        }
        if (problem.scenario.offset) {
            weights->offset.data = NULL;
            compute_exact(&problem);
            assert_false(compare(&problem).ok);
            weights->offset = offset;
        }
        if (problem.scenario.per_token) {
            problem.row_scale[1] = NULL;
            compute_exact(&problem);
            assert_false(compare(&problem).ok);
            problem.row_scale[1] = row_scale;
        }
        compute_exact(&problem);
        assert_true(compare(&problem).ok);
        drop(&problem);
    }
}

static void ranks_sample_rows_apart(void **state)
{
    const int64_t some[3] = {7, 0, 7};
    (void)state;
    for (int number = 0; number < SCENARIOS; number++) {
        struct problem problem = make_problem(number, MMARN_NUMERICS_DEFAULT, 2, 9, 40, 21);
        struct bound_problem sampled = problem.bound;
        struct bound_term terms[2 * 3 * 21];
        struct bound_result result;
        sampled.count = 3;
        sampled.rows = some;
        for (int rank = 0; rank < 2; rank++)
            reference_share(&problem, &sampled, rank, terms + rank * 3 * 21);
        for (int rank = 0; rank < 2; rank++)
            for (int i = 0; i < 3; i++)
                assert_memory_equal(terms + (rank * 3 + i) * 21, problem.terms + (rank * 9 + some[i]) * 21,
                                    21 * sizeof(*terms));
        const struct bound_outputs outputs = {problem.residual, problem.gamma, problem.y, problem.norm_out, NULL};
        assert_true(bound_compare(&sampled, terms, &outputs, &result));
        assert_true(result.ok);
        drop(&problem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_is_within_the_bound),       cmocka_unit_test(huge_rows),
        cmocka_unit_test(bound_notices_one_wrong_element), cmocka_unit_test(bound_notices_gross_mistakes),
        cmocka_unit_test(bound_notices_forgotten_scales),  cmocka_unit_test(ranks_sample_rows_apart),
    };
    seed = test_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
