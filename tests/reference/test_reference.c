/*
 * test_reference.c - the rounding-exact model against formulas written out, the error bound against the model, and the
 * bound against mistakes: what it would not notice, no test built on it would.
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

#include "reference/bound.h"
#include "reference/exact.h"
#include "reference/halffloat.h"
#include "reference/random.h"

enum { MOST_RANKS = 8 };

static const double EPSILON = 1e-6;
static uint64_t seed;

/* ----------------------------------------------------------------------------------------- the exact model */

static void sums_ranks_in_a_tree(void **state)
{
    float value[MOST_RANKS], mm;
    const float *parts[MOST_RANKS];
    (void)state;
    for (uint64_t round = 0; round < 1000; round++) {
        const uint64_t key = random_key(seed, round);
        for (int rank = 0; rank < MOST_RANKS; rank++) {
            const uint64_t word = random_word(key, (uint64_t)rank);
            value[rank] = ldexpf((float)(int32_t)word, (int)(word >> 60) - 8);
            parts[rank] = &value[rank];
        }
        const float *v = value;
        const float expected[MOST_RANKS + 1] = {
            0.0f,
            v[0],
            v[0] + v[1],
            (v[0] + v[1]) + v[2],
            (v[0] + v[1]) + (v[2] + v[3]),
            ((v[0] + v[1]) + (v[2] + v[3])) + v[4],
            ((v[0] + v[1]) + (v[2] + v[3])) + (v[4] + v[5]),
            ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + v[6]),
            ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7])),
        };
        for (int ranks = 1; ranks <= MOST_RANKS; ranks++) {
            exact_reduce(MMARN_F32, MMARN_NUMERICS_DEFAULT, ranks, 1, parts, &mm);
            assert_true(mm == expected[ranks]);
            exact_reduce(MMARN_BF16, MMARN_NUMERICS_FP32, ranks, 1, parts, &mm);
            assert_true(mm == expected[ranks]);
            exact_reduce(MMARN_BF16, MMARN_NUMERICS_DEFAULT, ranks, 1, parts, &mm);
            assert_true(mm == halffloat_round(MMARN_BF16, expected[ranks]));
        }
    }
}

static void rounds_every_step_in_rank_order(void **state)
{
    /* In bf16 next to 256 the last place is 2: each 0.75 vanishes alone, though three of them would not. */
    const float value[4] = {256.0f, 0.75f, 0.75f, 0.75f}, odd[2] = {1.00390625f, 1.00390625f};
    const float *parts[4] = {&value[0], &value[1], &value[2], &value[3]}, *odds[2] = {&odd[0], &odd[1]};
    float mm;
    (void)state;
    exact_reduce(MMARN_BF16, MMARN_NUMERICS_ASCEND, 4, 1, parts, &mm);
    assert_true(mm == 256.0f);
    exact_reduce(MMARN_BF16, MMARN_NUMERICS_DEFAULT, 4, 1, parts, &mm);
    assert_true(mm == 258.0f);
    /* 1 + 2^-8 is halfway, and goes to the even 1 before it is added. */
    exact_reduce(MMARN_BF16, MMARN_NUMERICS_ASCEND, 2, 1, odds, &mm);
    assert_true(mm == 2.0f);
    exact_reduce(MMARN_BF16, MMARN_NUMERICS_FP32, 2, 1, odds, &mm);
    assert_true(mm == 2.0078125f);
}

static void partial_is_one_chain_and_then_bias(void **state)
{
    enum { ROWS = 3, K = 37, N = 5 };
    float x1[ROWS * K], x2[K * N], turned[N * K], bias[N], partial[ROWS * N], same[ROWS * N];
    (void)state;
    random_normal(random_key(seed, 1), MMARN_F32, 0.0f, 1.0f, x1, ROWS * K);
    random_normal(random_key(seed, 2), MMARN_F32, 0.0f, 1.0f, x2, K * N);
    random_normal(random_key(seed, 3), MMARN_F32, 0.0f, 1.0f, bias, N);
    for (int p = 0; p < K; p++)
        for (int j = 0; j < N; j++)
            turned[j * K + p] = x2[p * N + j];
    assert_true(exact_partial(MMARN_F32, ROWS, K, N, x1, x2, false, bias, partial));
    assert_true(exact_partial(MMARN_F32, ROWS, K, N, x1, turned, true, bias, same));
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < N; j++) {
            float sum = 0.0f;
            for (int p = 0; p < K; p++)
                sum = fmaf(x1[i * K + p], x2[p * N + j], sum);
            sum += bias[j];
            assert_true(partial[i * N + j] == sum && same[i * N + j] == sum);
        }
}

static void statistic_has_32_lanes(void **state)
{
    enum { N = 100 };
    float y[N], gamma[N], norm[N], lane[32], rstd;
    (void)state;
    random_normal(random_key(seed, 4), MMARN_F32, 0.0f, 1.0f, y, N);
    random_normal(random_key(seed, 5), MMARN_F32, 1.0f, 0.25f, gamma, N);
    for (int l = 0; l < 32; l++) {
        lane[l] = 0.0f;
        for (int i = l; i < N; i += 32)
            lane[l] = fmaf(y[i], y[i], lane[l]);
    }
    for (int l = 0; l < 16; l++)
        lane[l] += lane[l + 16];
    for (int l = 0; l < 8; l++)
        lane[l] += lane[l + 8];
    for (int l = 0; l < 4; l++)
        lane[l] += lane[l + 4];
    rstd = 1.0f / sqrtf(((lane[0] + lane[2]) + (lane[1] + lane[3])) / 100.0f + 1e-6f);
    exact_norm(MMARN_F32, MMARN_NUMERICS_DEFAULT, 1, N, y, gamma, EPSILON, norm);
    for (int j = 0; j < N; j++)
        assert_true(norm[j] == y[j] * rstd * gamma[j]);
}

/* --------------------------------------------------------------------- the bound, on what the model computes */

/* One problem of all ranks, in one process. */
struct problem {
    int32_t dtype, numerics;
    int ranks;
    int64_t rows, k, n;
    bool trans_x2, with_bias;
    void *x1[MOST_RANKS], *x2[MOST_RANKS], *bias[MOST_RANKS];
    void *residual, *gamma, *y, *norm_out;
    int64_t *numbers; /* of all rows */
    double *part, *var;
    struct bound_problem bound;
};

static void *random_tensor(const struct problem *problem, uint64_t stream, float mean, float deviation, int64_t count)
{
    void *data = malloc((size_t)count * halffloat_size(problem->dtype));
    random_normal(random_key(seed, stream), problem->dtype, mean, deviation, data, (size_t)count);
    return data;
}

static void make_inputs(struct problem *problem)
{
    const int64_t rows = problem->rows, k = problem->k, n = problem->n;
    const float deviation = (float)(1.0 / sqrt((double)k * problem->ranks));

    for (int rank = 0; rank < problem->ranks; rank++) {
        const uint64_t stream = 100 + 3 * (uint64_t)rank;
        problem->x1[rank] = random_tensor(problem, stream, 0.0f, 1.0f, rows * k);
        problem->x2[rank] = random_tensor(problem, stream + 1, 0.0f, deviation, k * n);
        problem->bias[rank] = problem->with_bias ? random_tensor(problem, stream + 2, 0.0f, 1.0f, n) : NULL;
    }
    problem->residual = random_tensor(problem, 10, 0.0f, 1.0f, rows * n);
    problem->gamma = random_tensor(problem, 11, 1.0f, 0.25f, n);
    problem->y = random_tensor(problem, 12, 0.0f, 1.0f, rows * n);
    problem->norm_out = random_tensor(problem, 13, 0.0f, 1.0f, rows * n);
}

static void compute_exact(struct problem *problem)
{
    const int64_t rows = problem->rows, n = problem->n;
    float *partials[MOST_RANKS], *mm = malloc(sizeof(float) * (size_t)(rows * n));

    for (int rank = 0; rank < problem->ranks; rank++) {
        partials[rank] = malloc(sizeof(float) * (size_t)(rows * n));
        assert_true(exact_partial(problem->dtype, rows, problem->k, n, problem->x1[rank], problem->x2[rank],
                                  problem->trans_x2, problem->bias[rank], partials[rank]));
    }
    exact_reduce(problem->dtype, problem->numerics, problem->ranks, rows * n, (const float *const *)partials, mm);
    exact_add(problem->dtype, rows * n, mm, problem->residual, problem->y);
    exact_norm(problem->dtype, problem->numerics, rows, n, problem->y, problem->gamma, EPSILON, problem->norm_out);
    for (int rank = 0; rank < problem->ranks; rank++)
        free(partials[rank]);
    free(mm);
}

static void compute_reference(struct problem *problem)
{
    const int64_t rows = problem->rows, n = problem->n;
    problem->numbers = malloc(sizeof(int64_t) * (size_t)rows);
    for (int64_t i = 0; i < rows; i++)
        problem->numbers[i] = i;
    problem->part = malloc(sizeof(double) * (size_t)(problem->ranks * rows * n));
    problem->var = malloc(sizeof(double) * (size_t)(problem->ranks * rows * n));
    problem->bound =
        (struct bound_problem){problem->dtype, problem->numerics, problem->ranks, n, EPSILON, rows, problem->numbers};
    for (int rank = 0; rank < problem->ranks; rank++)
        assert_true(bound_partials(&problem->bound, problem->k, problem->x1[rank], problem->x2[rank], problem->trans_x2,
                                   problem->bias[rank], problem->part + rank * rows * n,
                                   problem->var + rank * rows * n));
}

static struct bound_result compare(const struct problem *problem)
{
    struct bound_result result;
    assert_true(bound_compare(&problem->bound, problem->part, problem->var, problem->residual, problem->gamma,
                              problem->y, problem->norm_out, &result));
    return result;
}

static void drop(struct problem *problem)
{
    for (int rank = 0; rank < problem->ranks; rank++) {
        free(problem->x1[rank]);
        free(problem->x2[rank]);
        free(problem->bias[rank]);
    }
    free(problem->residual);
    free(problem->gamma);
    free(problem->y);
    free(problem->norm_out);
    free(problem->numbers);
    free(problem->part);
    free(problem->var);
}

static struct problem make_problem(int32_t dtype, int32_t numerics, int ranks, int64_t rows, int64_t k, int64_t n)
{
    struct problem problem = {.dtype = dtype, .numerics = numerics, .ranks = ranks, .rows = rows, .k = k, .n = n};
    problem.trans_x2 = ranks % 2 == 0;
    problem.with_bias = ranks % 3 == 0;
    make_inputs(&problem);
    compute_exact(&problem);
    compute_reference(&problem);
    return problem;
}

static void model_is_within_the_bound(void **state)
{
    static const int64_t sizes[][3] = {{9, 100, 75}, {3, 1, 1}, {2, 1, 130}, {4, 300, 8}, {16, 7, 1}};
    (void)state;
    for (int32_t dtype = MMARN_F16; dtype <= MMARN_F32; dtype++)
        for (int32_t numerics = 0; numerics <= MMARN_NUMERICS_FP32; numerics++)
            for (int ranks = 1; ranks <= MOST_RANKS; ranks++)
                for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                    struct problem problem =
                        make_problem(dtype, numerics, ranks, sizes[i][0], sizes[i][1], sizes[i][2]);
                    const struct bound_result result = compare(&problem);
                    if (!result.ok)
                        print_message("dtype %d numerics %d ranks %d size %zu: y %g, norm_out %g of the bound\n", dtype,
                                      numerics, ranks, i, result.y.ratio, result.norm.ratio);
                    assert_true(result.ok);
                    assert_true(result.y.ratio <= 1.0 && result.norm.ratio <= 1.0);
                    drop(&problem);
                }
}

/* Moves one element by so many last places at the given magnitude. */
static void corrupt(const struct problem *problem, void *tensor, size_t index, double magnitude, double ulps)
{
    const double value = halffloat_load(problem->dtype, tensor, index);
    halffloat_store(problem->dtype, tensor, index, value + ulps * halffloat_ulp(problem->dtype, magnitude));
}

/* Is one element that is so many last places away, upwards or downwards, noticed? */
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
 * y is bound by one last place (a half for mm_out, a half for y) and norm_out by two, and a little. So of two values
 * that are two (three) places above and below a right one, one must be refused.
 */
static void bound_notices_one_wrong_element(void **state)
{
    (void)state;
    for (int32_t dtype = MMARN_F16; dtype <= MMARN_BF16; dtype++)
        for (int32_t numerics = 0; numerics <= MMARN_NUMERICS_FP32; numerics += MMARN_NUMERICS_FP32)
            for (int ranks = 1; ranks <= 3; ranks++) {
                struct problem problem = make_problem(dtype, numerics, ranks, 4, 200, 90);
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

/* In every mode: a NaN, an infinity, a rank's bias forgotten, and rows swapped. */
static void bound_notices_gross_mistakes(void **state)
{
    (void)state;
    for (int32_t dtype = MMARN_F16; dtype <= MMARN_F32; dtype++)
        for (int32_t numerics = 0; numerics <= MMARN_NUMERICS_FP32; numerics++) {
            struct problem problem = make_problem(dtype, numerics, 3, 4, 64, 33);
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

static void ranks_sample_rows_apart(void **state)
{
    const int64_t some[3] = {7, 0, 7};
    struct problem problem = make_problem(MMARN_F16, MMARN_NUMERICS_DEFAULT, 2, 9, 40, 21);
    struct bound_problem sampled = problem.bound;
    double part[2 * 3 * 21], var[2 * 3 * 21];
    struct bound_result result;
    (void)state;
    sampled.count = 3;
    sampled.rows = some;
    for (int rank = 0; rank < 2; rank++)
        assert_true(bound_partials(&sampled, problem.k, problem.x1[rank], problem.x2[rank], problem.trans_x2,
                                   problem.bias[rank], part + rank * 3 * 21, var + rank * 3 * 21));
    for (int rank = 0; rank < 2; rank++)
        for (int i = 0; i < 3; i++)
            assert_memory_equal(part + (rank * 3 + i) * 21, problem.part + (rank * 9 + some[i]) * 21,
                                21 * sizeof(double));
    assert_true(
        bound_compare(&sampled, part, var, problem.residual, problem.gamma, problem.y, problem.norm_out, &result));
    assert_true(result.ok);
    drop(&problem);
}

/* ---------------------------------------------------------------------------------------------- random data */

static void random_data_is_what_it_says(void **state)
{
    enum { COUNT = 200000 };
    float *values = malloc(COUNT * sizeof(float)), again[10];
    double sum = 0.0, squares = 0.0;
    (void)state;
    random_normal(random_key(seed, 30), MMARN_F32, 3.0f, 2.0f, values, COUNT);
    random_normal(random_key(seed, 30), MMARN_F32, 3.0f, 2.0f, again, 10);
    assert_memory_equal(values, again, sizeof(again));
    for (int i = 0; i < COUNT; i++) {
        sum += values[i];
        squares += (values[i] - 3.0) * (values[i] - 3.0);
    }
    /* Six standard deviations of the mean and of the variance. */
    assert_true(fabs(sum / COUNT - 3.0) < 6 * 2.0 / sqrt(COUNT));
    assert_true(fabs(squares / COUNT - 4.0) < 6 * 4.0 * sqrt(2.0 / COUNT));
    random_uniform(random_key(seed, 31), MMARN_F32, -1.0f, 2.0f, values, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_true(values[i] >= -1.0f && values[i] <= 2.0f);
    assert_true(random_key(seed, 1) != random_key(seed, 2) && random_key(seed, 1) != random_key(seed + 1, 1));
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_ranks_in_a_tree),
        cmocka_unit_test(rounds_every_step_in_rank_order),
        cmocka_unit_test(partial_is_one_chain_and_then_bias),
        cmocka_unit_test(statistic_has_32_lanes),
        cmocka_unit_test(model_is_within_the_bound),
        cmocka_unit_test(bound_notices_one_wrong_element),
        cmocka_unit_test(bound_notices_gross_mistakes),
        cmocka_unit_test(ranks_sample_rows_apart),
        cmocka_unit_test(random_data_is_what_it_says),
    };
    seed = getenv("MMARN_TEST_SEED") != NULL ? strtoull(getenv("MMARN_TEST_SEED"), NULL, 10) : (uint64_t)time(NULL);
    print_message("MMARN_TEST_SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
