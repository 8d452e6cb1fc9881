/* SPDX-License-Identifier: MIT */
/*
 * bound_quantised.c - one rank's exact share of the fp64 reference for quantised weights that are summed as integers
 * (every numerics mode but ASCEND), and the variance of its roundings. docs/numerics.md has the formulas.
 */
#include <stdlib.h>

#include "reference/bound_terms.h"

enum { LANES = 32, COLUMNS = 64, MOST_RUN = 512, GROUP = 8 /* columns that are summed in registers */ };

/* A value, and the sum of the squares of all that was rounded on the way to it. */
struct sum {
    double value, squares;
};

/* Rows first .. first + count of x2's columns j .. j + columns: the integers, and what they are scaled with. */
struct run {
    int64_t first, count, j, columns;
    double integer[MOST_RUN * COLUMNS], scale[COLUMNS], offset[COLUMNS];
};

static void load_run(const struct quantised_weights *weights, struct run *run)
{
    for (int64_t c = 0; c < COLUMNS; c++) {
        const bool there = c < run->columns;
        run->scale[c] = there ? quantised_value(weights, &weights->scale, run->first, run->j + c) : 0;
        run->offset[c] = there ? quantised_value(weights, &weights->offset, run->first, run->j + c) : 0;
    }
    for (int64_t q = 0; q < run->count; q++)
        for (int64_t c = 0; c < COLUMNS; c++)
            run->integer[q * COLUMNS + c] =
                c < run->columns ? quantised_integer(weights, run->first + q, run->j + c) : 0;
}

/* In 32 lanes, which are then folded. */
static struct sum sum_lanes(const double *numbers, int64_t count)
{
    double lane[LANES] = {0}, squares = 0;
    for (int64_t i = 0; i < count; i++) {
        lane[i % LANES] += numbers[i];
        squares += lane[i % LANES] * lane[i % LANES];
    }
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) {
            lane[l] += lane[l + half];
            squares += lane[l] * lane[l];
        }
    return (struct sum){lane[0], squares};
}

/* The chains of GROUP columns from c on. */
static void sum_chains(const double *x1, const struct run *run, int64_t c, struct sum *sums)
{
    double s[GROUP] = {0}, v[GROUP] = {0};
    for (int64_t q = 0; q < run->count; q++)
        for (int i = 0; i < GROUP; i++) {
            s[i] += x1[q] * run->integer[q * COLUMNS + c + i];
            v[i] += s[i] * s[i];
        }
    for (int i = 0; i < GROUP; i++)
        sums[i] = (struct sum){s[i], v[i]};
}

/* Adds what the run contributes to one row of terms. */
static void add_run(const double *x1, const struct run *run, bool has_offset, struct bound_term *terms)
{
    const struct sum t = has_offset ? sum_lanes(x1, run->count) : (struct sum){0};
    for (int64_t c = 0; c < run->columns; c += GROUP) {
        struct sum sums[GROUP];
        sum_chains(x1, run, c, sums);
        for (int64_t i = 0; i < GROUP && c + i < run->columns; i++) {
            const double scale = run->scale[c + i], offset = run->offset[c + i], u = sums[i].value + offset * t.value;
            struct bound_term *term = &terms[c + i];
            const double squares = sums[i].squares + (has_offset ? offset * offset * t.squares + u * u : 0);
            term->part += scale * u;
            term->var += scale * scale * squares + term->part * term->part;
        }
    }
}

static bool partials_factored(const struct bound_problem *problem, const struct quantised_weights *weights,
                              const void *x1, const void *bias, struct bound_term *terms)
{
    const int64_t k = weights->k, n = weights->n;
    struct run *run = malloc(sizeof *run);
    double *wide = bound_rows_of(problem, weights->dtype, k, x1);
    const bool made = run != NULL && wide != NULL;
    for (int64_t i = 0; i < problem->count * n; i++)
        terms[i] = (struct bound_term){0};
    for (int64_t j = 0; made && j < n; j += COLUMNS)
        for (int64_t first = 0; first < k; first += run->count) {
            run->first = first;
            run->count = quantised_run(weights, first);
            run->j = j;
            run->columns = n - j < COLUMNS ? n - j : COLUMNS;
            load_run(weights, run);
            for (int64_t row = 0; row < problem->count; row++)
                add_run(wide + row * k + first, run, weights->offset.data != NULL, terms + row * n + j);
        }
    if (made)
        bound_add_bias(problem, bias, terms);
    free(run);
    free(wide);
    return made;
}

bool bound_partials_quantised(const struct bound_problem *problem, const struct quantised_weights *weights,
                              const void *x1, const void *bias, struct bound_term *terms)
{
    if (problem->numerics == MMARN_NUMERICS_ASCEND)
        return bound_partials_expanded(problem, weights, x1, bias, terms);
    return partials_factored(problem, weights, x1, bias, terms);
}
