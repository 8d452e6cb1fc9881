/* SPDX-License-Identifier: MIT */
/*
 * test_reference.c - tests the rounding-exact model against formulas written out, and random data against their
 * documented properties.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reference/exact.h"
#include "reference/halffloat.h"
#include "reference/quantised.h"
#include "reference/random.h"
#include "support/seed.h"

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
    /* In bf16 next to 256 the last place is 2: each 0.75 vanishes, although the sum of three would not. */
    const float value[4] = {256.0f, 0.75f, 0.75f, 0.75f}, odd[2] = {1.00390625f, 1.00390625f};
    const float *parts[4] = {&value[0], &value[1], &value[2], &value[3]}, *odds[2] = {&odd[0], &odd[1]};
    float mm;
    (void)state;
    exact_reduce(MMARN_BF16, MMARN_NUMERICS_ASCEND, 4, 1, parts, &mm);
    assert_true(mm == 256.0f);
    exact_reduce(MMARN_BF16, MMARN_NUMERICS_DEFAULT, 4, 1, parts, &mm);
    assert_true(mm == 258.0f);
    /* 1 + 2^-8 is halfway, and is rounded to the even 1 before it is added. */
    exact_reduce(MMARN_BF16, MMARN_NUMERICS_ASCEND, 2, 1, odds, &mm);
    assert_true(mm == 2.0f);
    exact_reduce(MMARN_BF16, MMARN_NUMERICS_FP32, 2, 1, odds, &mm);
    assert_true(mm == 2.0078125f);
}

/* The sum of products p0 .. p1, one multiply-add after another. */
static float chain_of(const float *x1, const float *x2, int p0, int p1, int n)
{
    float sum = 0.0f;
    for (int p = p0; p < p1; p++)
        sum = fmaf(x1[p], x2[p * n], sum);
    return sum;
}

/* Three chains of f32, of which the last is short, or one chain for weights that were integers; then the bias. */
static void partial_is_chains_and_then_bias(void **state)
{
    enum { ROWS = 3, K = 1200, N = 5 };
    static float x1[ROWS * K], x2[K * N], turned[N * K], bias[N], partial[ROWS * N], same[ROWS * N], one[ROWS * N];
    (void)state;
    random_normal(random_key(seed, 1), MMARN_F32, 0.0f, 1.0f, x1, ROWS * K);
    random_normal(random_key(seed, 2), MMARN_F32, 0.0f, 1.0f, x2, K * N);
    random_normal(random_key(seed, 3), MMARN_F32, 0.0f, 1.0f, bias, N);
    for (int p = 0; p < K; p++)
        for (int j = 0; j < N; j++)
            turned[j * K + p] = x2[p * N + j];
    const int64_t chain = exact_chain(MMARN_F32);
    assert_true(exact_partial(MMARN_F32, chain, ROWS, K, N, x1, x2, false, bias, partial));
    assert_true(exact_partial(MMARN_F32, chain, ROWS, K, N, x1, turned, true, bias, same));
    assert_true(exact_partial(MMARN_F32, EXACT_CHAIN_EXPANDED, ROWS, K, N, x1, x2, false, NULL, one));
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < N; j++) {
            const float *a = x1 + i * K, *b = x2 + j;
            float sum = chain_of(a, b, 0, 512, N);
            sum += chain_of(a + 512, b + 512 * N, 0, 512, N);
            sum += chain_of(a + 1024, b + 1024 * N, 0, K - 1024, N);
            sum += bias[j];
            assert_true(partial[i * N + j] == sum && same[i * N + j] == sum);
            assert_true(one[i * N + j] == chain_of(a, b, 0, K, N));
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
    exact_norm((struct exact_norm_dtypes){MMARN_F32, MMARN_F32, MMARN_F32}, MMARN_NUMERICS_DEFAULT, 1, N, y, gamma,
               EPSILON, norm);
    for (int j = 0; j < N; j++)
        assert_true(norm[j] == y[j] * rstd * gamma[j]);
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

/* Six standard deviations of a count of `trials` that each succeed with probability p. */
static void assert_share(int count, int trials, double p)
{
    assert_true(fabs(count - trials * p) < 6 * sqrt(trials * p * (1 - p)) + 1);
}

static void random_quanta_are_what_they_say(void **state)
{
    enum { COUNT = 100000 };
    static const int32_t dtypes[] = {MMARN_I8, MMARN_I4};
    uint8_t *quanta = malloc(COUNT);
    (void)state;
    for (int d = 0; d < 2; d++) {
        const int limit = dtypes[d] == MMARN_I8 ? 128 : 8;
        const float deviation = (float)(limit - 1) / 4.5f;
        int seen[256] = {0};
        double squares = 0.0, sum = 0.0;
        random_quanta_uniform(random_key(seed, 32), dtypes[d], quanta, COUNT);
        for (size_t i = 0; i < COUNT; i++)
            seen[quantised_load(dtypes[d], quanta, i) + limit]++;
        for (int value = 0; value < 2 * limit; value++)
            assert_share(seen[value], COUNT, 0.5 / limit);
        random_quanta_normal(random_key(seed, 33), dtypes[d], deviation, quanta, COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            const double value = quantised_load(dtypes[d], quanta, i);
            sum += value;
            squares += value * value;
        }
        /* Rounding to whole numbers adds 1/12 to the variance; clipping reduces it hardly at all. */
        assert_true(fabs(sum / COUNT) < 6 * (deviation + 1) / sqrt(COUNT));
        assert_true(fabs(squares / COUNT / (deviation * deviation + 1.0 / 12) - 1) < 6 * sqrt(2.0 / COUNT) + 1e-3);
        /* At ten times the width most values are clipped: both ends occur, and nothing has wrapped. */
        random_quanta_normal(random_key(seed, 34), dtypes[d], 10.0f * (float)limit, quanta, COUNT);
        memset(seen, 0, sizeof(seen));
        for (size_t i = 0; i < COUNT; i++)
            seen[quantised_load(dtypes[d], quanta, i) + limit]++;
        assert_true(seen[0] > COUNT / 3 && seen[2 * limit - 1] > COUNT / 3);
    }
    free(quanta);
}

static void random_scales_are_spread_over_octaves(void **state)
{
    enum { COUNT = 100000 };
    float *scales = malloc(COUNT * sizeof(*scales));
    int octave[6] = {0};
    (void)state;
    random_scales(random_key(seed, 35), MMARN_F32, 0.01f, 3, scales, COUNT);
    for (int i = 0; i < COUNT; i++) {
        const int number = (int)floor(log2(scales[i] / 0.01f) + 1e-6) + 3;
        assert_in_range(number, 0, 6);
        octave[number < 6 ? number : 5]++;
    }
    for (int i = 0; i < 6; i++)
        assert_share(octave[i], COUNT, 1.0 / 6);
    free(scales);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_ranks_in_a_tree),
        cmocka_unit_test(rounds_every_step_in_rank_order),
        cmocka_unit_test(partial_is_chains_and_then_bias),
        cmocka_unit_test(statistic_has_32_lanes),
        cmocka_unit_test(random_data_is_what_it_says),
        cmocka_unit_test(random_quanta_are_what_they_say),
        cmocka_unit_test(random_scales_are_spread_over_octaves),
    };
    seed = test_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
