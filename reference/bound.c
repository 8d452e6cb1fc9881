/*
 * bound.c - the fp64 reference and its error bound. bound_partials runs over whole rows times k, so its inner loop is
 * laid out for the vectoriser: a block of x2 is widened once and used for every row. docs/numerics.md has the formulas.
 */
#include "reference/bound.h"

#include <math.h>
#include <stdlib.h>

#include "reference/halffloat.h"

/* Columns and depth of the block of x2 that is widened at a time (32 KiB), and columns that are summed in registers. */
enum { COLUMNS = 64, DEPTH = 64, GROUP = 8 };

/* fp32's unit roundoff, and how many standard deviations a sum of roundings is granted. */
static const double U = 0x1p-24;
static const double LAMBDA = 8.0;

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Rows p .. p + depth, columns j .. j + columns of x2, as block[depth][COLUMNS] with zeros on the right. */
static void widen_block(const struct bound_problem *problem, int64_t k, const void *x2, bool trans_x2, int64_t p,
                        int64_t depth, int64_t j, int64_t columns, double *block)
{
    const size_t size = halffloat_size(problem->dtype);
    const int64_t n = problem->n;

    for (int64_t q = 0; q < depth; q++) {
        double *line = block + q * COLUMNS;
        if (!trans_x2)
            halffloat_to_double(problem->dtype, (const char *)x2 + (size_t)((p + q) * n + j) * size, line,
                                (size_t)columns);
        for (int64_t c = 0; trans_x2 && c < columns; c++)
            line[c] = halffloat_load(problem->dtype, x2, (size_t)((j + c) * k + p + q));
        for (int64_t c = columns; c < COLUMNS; c++)
            line[c] = 0.0;
    }
}

/* Carries GROUP sums and their sums of squares on over `depth` more products. */
static void chain(const double *a, const double *block, int64_t depth, double *sum, double *square)
{
    double s[GROUP], v[GROUP];
    for (int c = 0; c < GROUP; c++) {
        s[c] = sum[c];
        v[c] = square[c];
    }
    for (int64_t q = 0; q < depth; q++)
        for (int c = 0; c < GROUP; c++) {
            s[c] += a[q] * block[q * COLUMNS + c];
            v[c] += s[c] * s[c];
        }
    for (int c = 0; c < GROUP; c++) {
        sum[c] = s[c];
        square[c] = v[c];
    }
}

/* chain() for one row of the block; the last group may stick out over the row's end. */
static void chain_row(const double *a, const double *block, int64_t depth, int64_t columns, double *part, double *var)
{
    int64_t c = 0;
    for (; c + GROUP <= columns; c += GROUP)
        chain(a, block + c, depth, part + c, var + c);
    if (c < columns) {
        double sum[GROUP] = {0}, square[GROUP] = {0};
        for (int64_t i = c; i < columns; i++) {
            sum[i - c] = part[i];
            square[i - c] = var[i];
        }
        chain(a, block + c, depth, sum, square);
        for (int64_t i = c; i < columns; i++) {
            part[i] = sum[i - c];
            var[i] = square[i - c];
        }
    }
}

static void add_bias(const struct bound_problem *problem, const void *bias, double *part, double *var)
{
    for (int64_t row = 0; row < problem->count; row++)
        for (int64_t j = 0; j < problem->n; j++) {
            const int64_t i = row * problem->n + j;
            part[i] += halffloat_load(problem->dtype, bias, (size_t)j);
            var[i] += part[i] * part[i];
        }
}

bool bound_partials(const struct bound_problem *problem, int64_t k, const void *x1, const void *x2, bool trans_x2,
                    const void *bias, double *part, double *var)
{
    const int64_t n = problem->n, count = problem->count;
    const size_t size = halffloat_size(problem->dtype);
    double *block = malloc(sizeof(double) * COLUMNS * DEPTH);
    double *a = malloc(sizeof(double) * (size_t)(count * k > 0 ? count * k : 1));

    if (block == NULL || a == NULL) {
        free(block);
        free(a);
        return false;
    }
    for (int64_t row = 0; row < count; row++)
        halffloat_to_double(problem->dtype, (const char *)x1 + (size_t)(problem->rows[row] * k) * size, a + row * k,
                            (size_t)k);
    for (int64_t i = 0; i < count * n; i++)
        part[i] = var[i] = 0.0;
    for (int64_t j = 0; j < n; j += COLUMNS)
        for (int64_t p = 0; p < k; p += DEPTH) {
            const int64_t columns = smaller(COLUMNS, n - j), depth = smaller(DEPTH, k - p);
            widen_block(problem, k, x2, trans_x2, p, depth, j, columns, block);
            for (int64_t row = 0; row < count; row++)
                chain_row(a + row * k + p, block, depth, columns, part + row * n + j, var + row * n + j);
        }
    if (bias != NULL)
        add_bias(problem, bias, part, var);
    free(block);
    free(a);
    return true;
}

/* Half a unit in the last place of the output type: what one rounding of a value of this size can do. */
static double half_ulp(const struct bound_problem *problem, double value)
{
    return 0.5 * halffloat_ulp(problem->dtype, value);
}

/* The exact sum over ranks [first, first + count) of one element; adds the squares of the tree's nodes to *nodes. */
static double tree_sum(const double *const parts[], int first, int count, int64_t i, double *nodes)
{
    int left = 1;
    double sum;
    if (count == 1)
        return parts[first][i];
    while (left * 2 < count)
        left *= 2;
    sum = tree_sum(parts, first, left, i, nodes) + tree_sum(parts, first + left, count - left, i, nodes);
    *nodes += sum * sum;
    return sum;
}

/* The same in rank order; *rounded gets the error of rounding every partial and every addition to the output type. */
static double rank_order_sum(const struct bound_problem *problem, const double *const parts[], int64_t i,
                             double error32, double *nodes, double *rounded)
{
    double sum = parts[0][i];
    *rounded = half_ulp(problem, fabs(sum) + error32);
    for (int rank = 1; rank < problem->world_size; rank++) {
        const double next = parts[rank][i];
        sum += next;
        *nodes += sum * sum;
        *rounded += half_ulp(problem, fabs(next) + error32);
        *rounded += half_ulp(problem, fabs(sum) + error32 + *rounded);
    }
    return sum;
}

/* mm_out of one element and how far the operator's may be from it. parts and vars are by rank. */
static double reference_mm(const struct bound_problem *problem, const double *const parts[], const double *const vars[],
                           int64_t i, double *error)
{
    double variance = 0.0, nodes = 0.0, rounded = 0.0, mm, error32;

    for (int rank = 0; rank < problem->world_size; rank++)
        variance += vars[rank][i];
    if (problem->numerics == MMARN_NUMERICS_ASCEND) {
        /* In a 16-bit type the additions' fp32 roundings are far below the last place, so error32 may omit them. */
        mm = rank_order_sum(problem, parts, i, LAMBDA * U * sqrt(variance), &nodes, &rounded);
        error32 = LAMBDA * U * sqrt(variance + nodes);
    } else {
        mm = tree_sum(parts, 0, problem->world_size, i, &nodes);
        error32 = LAMBDA * U * sqrt(variance + nodes);
        if (problem->numerics == MMARN_NUMERICS_DEFAULT)
            rounded = half_ulp(problem, fabs(mm) + error32);
    }
    *error = error32 + (problem->dtype == MMARN_F32 ? 0.0 : rounded);
    return mm;
}

/* One row's exact y, the bound on it, and the magnitude that its errors are shown in. */
struct row {
    double *y, *error, *scale;
    double sum, error_sum, weighted; /* of y^2, error^2 and y^2 * error^2 */
};

static void reference_y(const struct bound_problem *problem, const double *const parts[], const double *const vars[],
                        int64_t first, const void *residual, int64_t residual_first, struct row *row)
{
    row->sum = row->error_sum = row->weighted = 0.0;
    for (int64_t j = 0; j < problem->n; j++) {
        double error;
        const double mm = reference_mm(problem, parts, vars, first + j, &error);
        const double add = halffloat_load(problem->dtype, residual, (size_t)(residual_first + j));
        const double y = mm + add;
        if (problem->numerics == MMARN_NUMERICS_FP32)
            error += U * fabs(y); /* mm has all of fp32's digits, so the fp32 addition rounds before the store does */
        error += half_ulp(problem, fabs(y) + error);
        row->y[j] = y;
        row->error[j] = error;
        row->scale[j] = fmax(fmax(fabs(mm), fabs(add)), fabs(y));
        row->sum += y * y;
        row->error_sum += error * error;
        row->weighted += y * y * error * error;
    }
}

/* Takes one output value into account. */
static void judge(double value, double reference, double bound, double ulp, struct bound_error *error, bool *ok)
{
    const double difference = fabs(value - reference);
    const double ratio = difference / bound;

    if (!isfinite(value) || !(difference <= bound)) {
        *ok = false;
        if (!isfinite(difference)) {
            error->max_ulp = error->ratio = INFINITY;
            error->bound_ulp = bound / ulp;
            return;
        }
    }
    if (difference / ulp > error->max_ulp)
        error->max_ulp = difference / ulp;
    if (ratio > error->ratio) {
        error->ratio = ratio;
        error->bound_ulp = bound / ulp;
    }
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
        double bound, ulp;
        if (twice)
            error += half_ulp(problem, fabs(t) + error);
        bound = fabs(g) * error + U * fabs(norm);
        bound += half_ulp(problem, fabs(norm) + fabs(g) * error);
        ulp = halffloat_ulp(problem->dtype, fmax(fabs(norm), row->scale[j] * rstd * fabs(g)));
        judge(halffloat_load(problem->dtype, norm_out, (size_t)(first + j)), norm, bound, ulp, &result->norm,
              &result->ok);
    }
}

static void compare_row(const struct bound_problem *problem, const double *part, const double *var, int64_t index,
                        const void *residual, const void *gamma, const void *y, const void *norm_out, struct row *row,
                        struct bound_result *result)
{
    const double *parts[MMARN_MAX_RANKS], *vars[MMARN_MAX_RANKS];
    const int64_t first = problem->rows[index] * problem->n;

    for (int rank = 0; rank < problem->world_size; rank++) {
        parts[rank] = part + rank * problem->count * problem->n;
        vars[rank] = var + rank * problem->count * problem->n;
    }
    reference_y(problem, parts, vars, index * problem->n, residual, first, row);
    for (int64_t j = 0; j < problem->n; j++)
        judge(halffloat_load(problem->dtype, y, (size_t)(first + j)), row->y[j], row->error[j],
              halffloat_ulp(problem->dtype, row->scale[j]), &result->y, &result->ok);
    compare_norm(problem, row, gamma, norm_out, first, result);
}

bool bound_compare(const struct bound_problem *problem, const double *part, const double *var, const void *residual,
                   const void *gamma, const void *y, const void *norm_out, struct bound_result *result)
{
    double *memory = malloc(sizeof(double) * 3 * (size_t)(problem->n > 0 ? problem->n : 1));
    struct row row = {memory, memory + problem->n, memory + 2 * problem->n, 0, 0, 0};

    if (memory == NULL)
        return false;
    *result = (struct bound_result){.ok = true};
    for (int64_t index = 0; index < problem->count; index++)
        compare_row(problem, part, var, index, residual, gamma, y, norm_out, &row, result);
    free(memory);
    return true;
}
