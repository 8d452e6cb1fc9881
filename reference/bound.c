/*
 * bound.c - the error bound and the comparison with it. docs/numerics.md has the formulas; reference/bound_partial.c
 * computes each rank's exact share.
 */
#include "reference/bound.h"

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

/* One row's exact y, and the bound on it. */
struct row {
    double *y, *error;
    double sum, error_sum, weighted; /* of y^2, error^2 and y^2 * error^2 */
};

static void reference_y(const struct bound_problem *problem, const struct bound_term *const ranks[],
                        const void *residual, int64_t first, struct row *row)
{
    row->sum = row->error_sum = row->weighted = 0.0;
    for (int64_t j = 0; j < problem->n; j++) {
        double error;
        const double mm = reference_mm(problem, ranks, j, &error);
        const double add = halffloat_load(problem->dtype, residual, (size_t)(first + j));
        const double y = mm + add;
        if (problem->numerics == MMARN_NUMERICS_FP32)
            error += U * fabs(y); /* mm has all of fp32's digits, so the fp32 addition rounds before the store does */
        error += half_ulp(problem, fabs(y) + error);
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

static void compare_norm(const struct bound_problem *problem, const struct row *row, const void *gamma,
                         const void *norm_out, int64_t first, struct bound_result *result)
{
    const double n = (double)problem->n;
    const double rstd = 1.0 / sqrt(row->sum / n + problem->epsilon);
    const double rho_sum =
        (2.0 * LAMBDA * sqrt(row->weighted) + row->error_sum) / (row->sum + n * problem->epsilon) + (n / 32 + 8) * U;
    const double rho = 0.51 * rho_sum + 4.0 * U;
    const bool twice = problem->numerics != MMARN_NUMERICS_FP32 && problem->dtype != MMARN_F32;

    for (int64_t j = 0; j < problem->n; j++) {
        const double g = halffloat_load(problem->dtype, gamma, (size_t)j);
        const double t = row->y[j] * rstd;
        const double norm = t * g;
        double error = row->error[j] * rstd + fabs(t) * rho + U * fabs(t);
        double bound;
        if (twice)
            error += half_ulp(problem, fabs(t) + error);
        bound = fabs(g) * error + U * fabs(norm);
        bound += half_ulp(problem, fabs(norm) + fabs(g) * error);
        judge(halffloat_load(problem->dtype, norm_out, (size_t)(first + j)), norm, bound, &result->norm, &result->ok);
    }
}

static void compare_row(const struct bound_problem *problem, const struct bound_term *terms, int64_t index,
                        const void *residual, const void *gamma, const void *y, const void *norm_out, struct row *row,
                        struct bound_result *result)
{
    const struct bound_term *ranks[MMARN_MAX_RANKS];
    const int64_t first = problem->rows[index] * problem->n;

    for (int rank = 0; rank < problem->world_size; rank++)
        ranks[rank] = terms + (rank * problem->count + index) * problem->n;
    reference_y(problem, ranks, residual, first, row);
    for (int64_t j = 0; j < problem->n; j++)
        judge(halffloat_load(problem->dtype, y, (size_t)(first + j)), row->y[j], row->error[j], &result->y,
              &result->ok);
    compare_norm(problem, row, gamma, norm_out, first, result);
}

bool bound_compare(const struct bound_problem *problem, const struct bound_term *terms, const void *residual,
                   const void *gamma, const void *y, const void *norm_out, struct bound_result *result)
{
    double *memory = malloc(sizeof(double) * 2 * (size_t)(problem->n > 0 ? problem->n : 1));
    struct row row = {memory, memory + problem->n, 0, 0, 0};

    if (memory == NULL)
        return false;
    *result = (struct bound_result){.ok = true};
    for (int64_t index = 0; index < problem->count; index++)
        compare_row(problem, terms, index, residual, gamma, y, norm_out, &row, result);
    free(memory);
    return true;
}
