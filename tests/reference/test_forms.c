/* SPDX-License-Identifier: MIT */
/*
 * test_forms.c - tests the bounds of the operator's forms against their rounding-exact models, and against the mistakes
 * that each form invites: the residual left out or added before the norm, the 1 of 1 + gamma forgotten, an int8 or its
 * scale off by one place.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reference/bound.h"
#include "reference/exact.h"
#include "reference/forms.h"
#include "reference/halffloat.h"
#include "reference/random.h"
#include "support/seed.h"

enum { RANKS = 3, ROWS = 5, K = 120, N = 90, COUNT = ROWS * N };
static const double EPSILON = 1e-6;
static uint64_t seed;

/* One form's inputs, the expected outputs, and every rank's share of the reference; fp32 is the widest type. */
struct problem {
    struct bound_problem bound;
    bool has_residual, int8;
    float x1[ROWS * K], x2[K * N], partials[RANKS][COUNT], mm[COUNT], gamma[N], plus_one[N], residual[COUNT];
    float y[COUNT], norm[COUNT], scale[ROWS];
    signed char rows[COUNT];
    int64_t numbers[ROWS];
    struct bound_term terms[RANKS * COUNT];
};

static void fill(const struct problem *p, int stream, float deviation, float *data, int count)
{
    random_normal(random_key(seed, (uint64_t)stream), p->bound.dtype, 0, deviation, data, (size_t)count);
}

static void make_sum(struct problem *p)
{
    const int32_t dtype = p->bound.dtype;
    const float *partials[RANKS];
    for (int rank = 0; rank < RANKS; rank++) {
        fill(p, 10 * rank, 1, p->x1, ROWS * K);
        fill(p, 10 * rank + 1, 0.1F, p->x2, K * N);
        assert_true(exact_partial(dtype, exact_chain(dtype), ROWS, K, N, p->x1, p->x2, false, NULL, p->partials[rank]));
        assert_true(bound_partials(&p->bound, K, p->x1, p->x2, false, NULL, p->terms + rank * COUNT));
        partials[rank] = p->partials[rank];
    }
    exact_reduce(dtype, p->bound.numerics, RANKS, COUNT, partials, p->mm);
}

static void norm(struct problem *p, const void *of)
{
    const bool plus_one = p->bound.form == BOUND_PLUS_ONE;
    const int32_t dtype = p->bound.dtype;
    const struct exact_norm_dtypes dtypes = {dtype, plus_one ? MMARN_F32 : dtype, dtype};
    forms_plus_one(dtype, N, p->gamma, p->plus_one);
    exact_norm(dtypes, p->bound.numerics, ROWS, N, of, plus_one ? p->plus_one : p->gamma, EPSILON, p->norm);
    if (p->int8)
        forms_quantise(dtype, ROWS, N, p->norm, p->rows, p->scale);
}

static void add_residual(struct problem *p, const float *to)
{
    if (p->has_residual)
        exact_add(p->bound.dtype, COUNT, to, p->residual, p->y);
    else
        forms_store(p->bound.dtype, COUNT, to, p->y);
}

static void make_outputs(struct problem *p)
{
    static float stored[COUNT], wide[COUNT];
    if (p->bound.form != BOUND_NORM_FIRST) {
        add_residual(p, p->mm);
        norm(p, p->y);
        return;
    }
    forms_store(p->bound.dtype, COUNT, p->mm, stored);
    norm(p, stored);
    for (size_t i = 0; i < COUNT; i++)
        wide[i] = halffloat_load(p->bound.dtype, p->norm, i);
    add_residual(p, wide);
}

static struct problem *make(enum bound_form form, int32_t dtype, int32_t numerics, bool has_residual, bool int8)
{
    struct problem *p = calloc(1, sizeof *p);
    for (int i = 0; i < ROWS; i++)
        p->numbers[i] = i;
    p->bound = (struct bound_problem){dtype, numerics, RANKS, N, EPSILON, ROWS, p->numbers, form};
    p->has_residual = has_residual && form != BOUND_SUM;
    p->int8 = int8;
    fill(p, 100, 1, p->gamma, N);
    fill(p, 101, 1, p->residual, COUNT);
    make_sum(p);
    make_outputs(p);
    return p;
}

static bool within(const struct problem *p)
{
    const struct bound_outputs outputs = {p->has_residual ? p->residual : NULL, p->gamma, p->y,
                                          p->int8 ? (const void *)p->rows : p->norm, p->int8 ? p->scale : NULL};
    struct bound_result result;
    assert_true(bound_compare(&p->bound, p->terms, &outputs, &result));
    assert_true(!result.ok || (result.y <= 1 && result.norm <= 1));
    return result.ok;
}

/* Calls check(problem) for every form, type and mode. */
static void for_all(void (*check)(struct problem *))
{
    for (int form = BOUND_WHOLE; form <= BOUND_SUM; form++)
        for (int32_t dtype = MMARN_F16; dtype <= MMARN_F32; dtype++)
            for (int32_t numerics = 0; numerics <= MMARN_NUMERICS_FP32; numerics++)
                for (int options = 0; options < 4; options++) {
                    struct problem *p = make((enum bound_form)form, dtype, numerics, options & 1, options & 2);
                    check(p);
                    free(p);
                }
}

static void is_within(struct problem *p)
{
    assert_true(within(p));
}

static void models_are_within(void **state)
{
    (void)state;
    for_all(is_within);
}

/* Each single mistake is noticed; the right value is put back. */
static void mistakes_are_seen(struct problem *p)
{
    const enum bound_form form = p->bound.form;
    p->bound.form = form == BOUND_PLUS_ONE ? BOUND_WHOLE : BOUND_PLUS_ONE;
    assert_true(form == BOUND_SUM || !within(p));
    p->bound.form = form == BOUND_NORM_FIRST ? BOUND_WHOLE : BOUND_NORM_FIRST;
    assert_true(form == BOUND_SUM || !within(p));
    p->bound.form = form;
    p->has_residual = !p->has_residual;
    assert_true(form == BOUND_SUM || !within(p));
    p->has_residual = !p->has_residual;
    const size_t at = COUNT / 2;
    const float y = halffloat_load(p->bound.dtype, p->y, at);
    halffloat_store(p->bound.dtype, p->y, at, y + 1);
    assert_false(within(p));
    halffloat_store(p->bound.dtype, p->y, at, y);
    if (!p->int8 || form == BOUND_SUM)
        return;
    const signed char row = p->rows[at]; /* in bf16 norm_out itself may differ by one or two places of int8 */
    p->rows[at] = (signed char)(row > 0 ? row - 6 : row + 6);
    assert_false(within(p));
    p->rows[at] = row;
    p->scale[0] *= 1.1F;
    assert_false(within(p));
}

static void mistakes_are_noticed(void **state)
{
    (void)state;
    for_all(mistakes_are_seen);
}

/* At most half a scale, and zeros if the row has no scale to divide by. */
static void int8_rows(void **state)
{
    (void)state;
    float values[4][3] = {{1, -2, 0.5F}, {0, 0, 0}, {1, INFINITY, 2}, {1, 2, NAN}};
    signed char rows[4][3];
    float scale[4];
    forms_quantise(MMARN_F32, 4, 3, values, rows[0], scale);
    assert_int_equal(rows[0][1], -127);
    assert_int_equal(rows[0][0], 64); /* 63.5, to even */
    assert_int_equal(rows[0][2], 32); /* 31.75 */
    assert_true(scale[0] == 2.0F / 127 && scale[1] == 0 && isinf(scale[2]) && isnan(scale[3]));
    for (int i = 1; i < 4; i++)
        for (int j = 0; j < 3; j++)
            assert_int_equal(rows[i][j], 0);
}

int main(void)
{
    seed = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_within),
        cmocka_unit_test(mistakes_are_noticed),
        cmocka_unit_test(int8_rows),
    };
    return cmocka_run_group_tests_name("bounds of the forms", tests, NULL, NULL);
}
