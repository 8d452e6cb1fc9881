/* SPDX-License-Identifier: MIT */
/*
 * bound.c - the error bound and the comparison with it. docs/numerics.md has the formulas; reference/bound_partial.c
 * computes each rank's exact share.
 */
#include "reference/bound.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "reference/halffloat.h"

/* fp32's unit roundoff, and how many standard deviations a sum of roundings is granted. */
static const double U = 0x1p-24;
static const double LAMBDA = 8.0;

/* Half a unit in the last place of the output type: what one rounding of a value of this size can do. */
static double half_ulp(const struct bound_problem *problem, double value)
{
    return 0.5 * halffloat_ulp(problem->dtype, value);
}

/* The exact sum over ranks [first, first + count) of one element; adds the squares of the tree's nodes to *nodes. */
static double tree_sum(const struct bound_term *const ranks[], int first, int count, int64_t i, double *nodes)
{
    int left = 1;
    double sum;
    if (count == 1)
        return ranks[first][i].part;
    while (left * 2 < count)
        left *= 2;
    sum = tree_sum(ranks, first, left, i, nodes) + tree_sum(ranks, first + left, count - left, i, nodes);
    *nodes += sum * sum;
    return sum;
}

/* The same in rank order; *rounded gets the error of rounding every partial and every addition to the output type. */
static double rank_order_sum(const struct bound_problem *problem, const struct bound_term *const ranks[], int64_t i,
                             double error32, double *nodes, double *rounded)
{
    double sum = ranks[0][i].part;
    *rounded = half_ulp(problem, fabs(sum) + error32);
    for (int rank = 1; rank < problem->world_size; rank++) {
        const double next = ranks[rank][i].part;
        sum += next;
        *nodes += sum * sum;
        *rounded += half_ulp(problem, fabs(next) + error32);
        *rounded += half_ulp(problem, fabs(sum) + error32 + *rounded);
    }
    return sum;
}

/* mm_out of one element and how far the operator's may be from it; ranks[r] is rank r's part of the row. */
static double reference_mm(const struct bound_problem *problem, const struct bound_term *const ranks[], int64_t i,
                           double *error)
{
    double variance = 0.0, nodes = 0.0, rounded = 0.0, mm, error32;

    for (int rank = 0; rank < problem->world_size; rank++)
        variance += ranks[rank][i].var;
    if (problem->numerics == MMARN_NUMERICS_ASCEND) {
        /* In a 16-bit type the additions' fp32 roundings are far below the last place, so error32 may omit them. */
        mm = rank_order_sum(problem, ranks, i, LAMBDA * U * sqrt(variance), &nodes, &rounded);
        error32 = LAMBDA * U * sqrt(variance + nodes);
    } else {
        mm = tree_sum(ranks, 0, problem->world_size, i, &nodes);
        error32 = LAMBDA * U * sqrt(variance + nodes);
        if (problem->numerics == MMARN_NUMERICS_DEFAULT)
            rounded = half_ulp(problem, fabs(mm) + error32);
    }
    *error = error32 + (problem->dtype == MMARN_F32 ? 0.0 : rounded);
    return mm;
}

/* One row's exact values, and the bounds on them. */
struct row {
    double *y, *error;               /* of what the norm reads: y, or mm_out where the norm comes first */
    double *norm, *norm_error;       /* of norm_out, in the output type */
    double sum, error_sum, weighted; /* of y^2, error^2 and y^2 * error^2 */
};

/* What rounding a sum with the residual adds to the error before it. */
static double add_error(const struct bound_problem *problem, double sum, double error)
{
    if (problem->numerics == MMARN_NUMERICS_FP32)
        error += U * fabs(sum); /* mm has all of fp32's digits, so the fp32 addition rounds before the store does */
    return error + half_ulp(problem, fabs(sum) + error);
}

/* mm_out as it is stored: rounded already, but in the mode that keeps it in fp32. */
static double store_error(const struct bound_problem *problem, double mm, double error)
{
    const bool kept = problem->numerics == MMARN_NUMERICS_FP32 && problem->dtype != MMARN_F32;
    return kept ? error + half_ulp(problem, fabs(mm) + error) : error;
}

static void reference_y(const struct bound_problem *problem, const struct bound_term *const ranks[],
                        const void *residual, int64_t first, struct row *row)
{
    row->sum = row->error_sum = row->weighted = 0.0;
    for (int64_t j = 0; j < problem->n; j++) {
        double error, y = reference_mm(problem, ranks, j, &error);
        if (residual != NULL) {
            y += halffloat_load(problem->dtype, residual, (size_t)(first + j));
            error = add_error(problem, y, error);
        } else {
            error = store_error(problem, y, error);
        }
        row->y[j] = y;
        row->error[j] = error;
        row->sum += y * y;
        row->error_sum += error * error;
        row->weighted += y * y * error * error;
    }
}

/* Takes one output value into account. */
static void judge(double value, double reference, double bound, double *worst, bool *ok)
{
    const double difference = fabs(value - reference);
    const double ratio = isfinite(difference) ? difference / bound : INFINITY;

    if (!isfinite(value) || !(difference <= bound))
        *ok = false;
    if (ratio > *worst)
        *worst = ratio;
}

static void reference_norm(const struct bound_problem *problem, const void *gamma, struct row *row)
{
    const double n = (double)problem->n;
    const double rstd = 1.0 / sqrt(row->sum / n + problem->epsilon);
    const double rho_sum =
        (2.0 * LAMBDA * sqrt(row->weighted) + row->error_sum) / (row->sum + n * problem->epsilon) + (n / 32 + 8) * U;
    const double rho = 0.51 * rho_sum + 4.0 * U;
    const bool twice = problem->numerics != MMARN_NUMERICS_FP32 && problem->dtype != MMARN_F32;
    const bool plus_one = problem->form == BOUND_PLUS_ONE;

    for (int64_t j = 0; j < problem->n; j++) {
        const double g = halffloat_load(problem->dtype, gamma, (size_t)j) + (plus_one ? 1.0 : 0.0);
        const double t = row->y[j] * rstd;
        const double norm = t * g;
        double error = row->error[j] * rstd + fabs(t) * rho + U * fabs(t);
        if (twice)
            error += half_ulp(problem, fabs(t) + error);
        error = fabs(g) * error + (plus_one ? 2.0 : 1.0) * U * fabs(norm); /* 1 + gamma is rounded too */
        row->norm[j] = norm;
        row->norm_error[j] = error + half_ulp(problem, fabs(norm) + error);
    }
}

/* norm_out in int8, times its scale: half a scale away at most; and the scale is that of the largest. */
static void compare_int8(const struct bound_problem *problem, const struct row *row, const signed char *rows,
                         double scale, int64_t first, struct bound_result *result)
{
    double largest = 0.0, largest_error = 0.0;
    for (int64_t j = 0; j < problem->n; j++) {
        const double bound = row->norm_error[j] + scale * (0.5 + 127 * 4 * U);
        judge(rows[first + j] * scale, row->norm[j], bound, &result->norm, &result->ok);
        largest = fmax(largest, fabs(row->norm[j]));
        largest_error = fmax(largest_error, row->norm_error[j]);
    }
    judge(scale * 127, largest, largest_error + 4 * U * largest, &result->norm, &result->ok);
}

static void compare_norm(const struct bound_problem *problem, const struct row *row,
                         const struct bound_outputs *outputs, int64_t index, struct bound_result *result)
{
    const int64_t first = problem->rows[index] * problem->n;
    if (outputs->norm_scale != NULL) {
        compare_int8(problem, row, outputs->norm_out, outputs->norm_scale[problem->rows[index]], first, result);
        return;
    }
    for (int64_t j = 0; j < problem->n; j++)
        judge(halffloat_load(problem->dtype, outputs->norm_out, (size_t)(first + j)), row->norm[j], row->norm_error[j],
              &result->norm, &result->ok);
}

/* y is norm_out + residual. */
static void add_residual_after(const struct bound_problem *problem, const void *residual, int64_t first,
                               struct row *row)
{
    for (int64_t j = 0; j < problem->n; j++) {
        row->y[j] = row->norm[j];
        row->error[j] = row->norm_error[j];
        if (residual == NULL)
            continue;
        row->y[j] += halffloat_load(problem->dtype, residual, (size_t)(first + j));
        row->error[j] = add_error(problem, row->y[j], row->error[j]);
    }
}

static void compare_row(const struct bound_problem *problem, const struct bound_term *terms, int64_t index,
                        const struct bound_outputs *outputs, struct row *row, struct bound_result *result)
{
    const struct bound_term *ranks[MMARN_MAX_RANKS];
    const int64_t first = problem->rows[index] * problem->n;
    assert(problem->world_size > 0);
    const bool norm_first = problem->form == BOUND_NORM_FIRST, sum = problem->form == BOUND_SUM;

    for (int rank = 0; rank < problem->world_size; rank++)
        ranks[rank] = terms + (rank * problem->count + index) * problem->n;
    reference_y(problem, ranks, norm_first || sum ? NULL : outputs->residual, first, row);
    if (!sum) {
        reference_norm(problem, outputs->gamma, row);
        compare_norm(problem, row, outputs, index, result);
    }
    if (norm_first)
        add_residual_after(problem, outputs->residual, first, row);
    for (int64_t j = 0; j < problem->n; j++)
        judge(halffloat_load(problem->dtype, outputs->y, (size_t)(first + j)), row->y[j], row->error[j], &result->y,
              &result->ok);
}

bool bound_compare(const struct bound_problem *problem, const struct bound_term *terms,
                   const struct bound_outputs *outputs, struct bound_result *result)
{
    const int64_t n = problem->n;
    double *memory = malloc(sizeof(double) * 4 * (size_t)(n > 0 ? n : 1));
    struct row row = {memory, memory + n, memory + 2 * n, memory + 3 * n, 0, 0, 0};

    if (memory == NULL)
        return false;
    *result = (struct bound_result){.ok = true};
    for (int64_t index = 0; index < problem->count; index++)
        compare_row(problem, terms, index, outputs, &row, result);
    free(memory);
    return true;
}
