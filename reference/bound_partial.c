/* SPDX-License-Identifier: MIT */
/*
 * bound_partial.c - one rank's exact share of the fp64 reference, for float, expanded and int8 weights. It runs over
 * whole rows times k, so the inner loop is laid out for the vectoriser: a block of x2 is widened once and used for
 * every row. docs/numerics.md has the formulas.
 */
#include <stdlib.h>

#include "reference/bound_terms.h"
#include "reference/halffloat.h"

/* Columns and depth of the block of x2 that is widened at a time (256 KiB), and columns that are summed in registers.
 */
enum { COLUMNS = 64, DEPTH = 512, GROUP = 8 };

/* x2 as this file reads it: floats, or weights to be expanded. */
struct source {
    int64_t k, n;
    int32_t dtype; /* of x1, bias and, where they are floats, x2 */
    const void *x2;
    bool trans_x2;
    const struct quantised_weights *weights; /* NULL: floats */
};

/* Rows p .. p + depth, columns j .. j + columns of x2, [depth][COLUMNS] with zeros on the right. */
struct block {
    int64_t p, depth, j, columns;
    bool is_chain; /* its sums start from zero and are added to those before, instead of going on from them */
    double value[DEPTH * COLUMNS];
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void widen_floats(const struct source *source, struct block *block)
{
    const size_t size = halffloat_size(source->dtype);

    for (int64_t q = 0; q < block->depth; q++) {
        double *line = block->value + q * COLUMNS;
        const int64_t p = block->p + q;
        if (!source->trans_x2)
            halffloat_to_double(source->dtype, (const char *)source->x2 + (size_t)(p * source->n + block->j) * size,
                                line, (size_t)block->columns);
        for (int64_t c = 0; source->trans_x2 && c < block->columns; c++)
            line[c] = halffloat_load(source->dtype, source->x2, (size_t)((block->j + c) * source->k + p));
        for (int64_t c = block->columns; c < COLUMNS; c++)
            line[c] = 0.0;
    }
}

static void expand_weights(const struct source *source, struct block *block)
{
    for (int64_t q = 0; q < block->depth; q++)
        for (int64_t c = 0; c < COLUMNS; c++)
            block->value[q * COLUMNS + c] =
                c < block->columns ? quantised_expanded_weight(source->weights, block->p + q, block->j + c) : 0.0;
}

/* Carries GROUP sums and their sums of squares on over the products of a row and the block from `values` on. */
static void chain(const double *a, const struct block *block, const double *values, struct bound_term *terms)
{
    double s[GROUP], v[GROUP];
    for (int c = 0; c < GROUP; c++) {
        s[c] = block->is_chain ? 0.0 : terms[c].part;
        v[c] = terms[c].var;
    }
    for (int64_t q = 0; q < block->depth; q++)
        for (int c = 0; c < GROUP; c++) {
            s[c] += a[q] * values[q * COLUMNS + c];
            v[c] += s[c] * s[c];
        }
    for (int c = 0; c < GROUP; c++) {
        terms[c].part = block->is_chain ? terms[c].part + s[c] : s[c];
        terms[c].var = v[c] + (block->is_chain && block->p > 0 ? terms[c].part * terms[c].part : 0.0);
    }
}

/* One row times the block; the last group may stick out over the row's end. */
static void chain_row(const double *a, const struct block *block, struct bound_term *terms)
{
    for (int64_t c = 0; c < block->columns; c += GROUP) {
        const int64_t some = smaller(GROUP, block->columns - c);
        struct bound_term group[GROUP] = {{0}};
        for (int64_t i = 0; i < some; i++)
            group[i] = terms[c + i];
        chain(a, block, block->value + c, group);
        for (int64_t i = 0; i < some; i++)
            terms[c + i] = group[i];
    }
}

double *bound_rows_of(const struct bound_problem *problem, int32_t dtype, int64_t k, const void *x1)
{
    const size_t row_bytes = (size_t)k * halffloat_size(dtype);
    double *rows = malloc(sizeof(double) * (size_t)(problem->count * k) + 1);
    for (int64_t row = 0; rows != NULL && row < problem->count; row++)
        halffloat_to_double(dtype, (const char *)x1 + (size_t)problem->rows[row] * row_bytes, rows + row * k,
                            (size_t)k);
    return rows;
}

void bound_add_bias(const struct bound_problem *problem, const void *bias, struct bound_term *terms)
{
    for (int64_t row = 0; bias != NULL && row < problem->count; row++)
        for (int64_t j = 0; j < problem->n; j++) {
            struct bound_term *term = &terms[row * problem->n + j];
            term->part += halffloat_load(problem->dtype, bias, (size_t)j);
            term->var += term->part * term->part;
        }
}

static bool partials(const struct bound_problem *problem, const struct source *source, const void *x1, const void *bias,
                     struct bound_term *terms)
{
    const int64_t k = source->k, n = problem->n, count = problem->count;
    struct block *block = malloc(sizeof(*block));
    double *a = bound_rows_of(problem, source->dtype, k, x1);

    if (block == NULL || a == NULL) {
        free(block);
        free(a);
        return false;
    }
    for (int64_t i = 0; i < count * n; i++)
        terms[i] = (struct bound_term){0};
    for (int64_t j = 0; j < n; j += COLUMNS)
        for (int64_t p = 0; p < k; p += DEPTH) {
            block->p = p;
            block->is_chain = source->weights == NULL && source->dtype != MMARN_BF16;
            block->depth = smaller(DEPTH, k - p);
            block->j = j;
            block->columns = smaller(COLUMNS, n - j);
            (source->weights != NULL ? expand_weights : widen_floats)(source, block);
            for (int64_t row = 0; row < count; row++)
                chain_row(a + row * k + p, block, terms + row * n + j);
        }
    bound_add_bias(problem, bias, terms);
    free(block);
    free(a);
    return true;
}

bool bound_partials(const struct bound_problem *problem, int64_t k, const void *x1, const void *x2, bool trans_x2,
                    const void *bias, struct bound_term *terms)
{
    const struct source source = {k, problem->n, problem->dtype, x2, trans_x2, NULL};
    return partials(problem, &source, x1, bias, terms);
}

bool bound_partials_expanded(const struct bound_problem *problem, const struct quantised_weights *weights,
                             const void *x1, const void *bias, struct bound_term *terms)
{
    const struct source source = {weights->k, weights->n, weights->dtype, NULL, false, weights};
    return partials(problem, &source, x1, bias, terms);
}

bool bound_partials_int8(const struct bound_problem *problem, int64_t k, const int8_t *x1, const int8_t *x2,
                         bool trans_x2, const int32_t *bias, const float *scales, const float *row_scale,
                         struct bound_term *terms)
{
    const int64_t n = problem->n;
    int32_t *sums = malloc(sizeof(int32_t) * (size_t)(n > 0 ? n : 1));

    if (sums == NULL)
        return false;
    for (int64_t index = 0; index < problem->count; index++) {
        const int64_t row = problem->rows[index];
        quantised_sums(1, k, n, x1 + row * k, x2, trans_x2, bias, sums);
        for (int64_t j = 0; j < n; j++) {
            const double product = (double)sums[j] * scales[j];
            const double part = row_scale != NULL ? product * row_scale[row] : product;
            /* The sum becomes fp32, and one or two products are rounded. */
            const double roundings = row_scale != NULL ? 3.0 : 2.0;
            terms[index * n + j] = (struct bound_term){part, roundings * part * part};
        }
    }
    free(sums);
    return true;
}
