/* SPDX-License-Identifier: MIT */
/*
 * check.c - which rows are checked, where the shared part of the reference is stored, and the results of all ranks
 * together.
 */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "form.h"
#include "hash.h"
#include "ranks.h"
#include "reference/quantised.h"
#include "reference/random.h"

/* Every row is checked if that takes at most about a second and this much memory; else JOB_CHECKED_ROWS of them. */
static const double MOST_PRODUCTS = 2e9;
static const double MOST_BYTES = 512e6;

static size_t terms_bytes(const struct job *job)
{
    return sizeof(*job->terms) * (size_t)(job->workload.ranks * job->problem.count * job->workload.n) + 1;
}

static int64_t rows_to_check(const struct workload *workload)
{
    const int64_t rows = workload->b * workload->s;
    const double columns = (double)workload->n * workload->ranks;
    if (rows <= JOB_CHECKED_ROWS || ((double)rows * columns * (double)workload->k <= MOST_PRODUCTS &&
                                     (double)rows * columns * sizeof(struct bound_term) <= MOST_BYTES))
        return rows;
    return JOB_CHECKED_ROWS;
}

bool check_prepare(struct job *job)
{
    const struct workload *workload = &job->workload;
    const int64_t rows = workload->b * workload->s, count = rows_to_check(workload);
    const uint64_t key = random_key(workload->seed, UINT64_MAX);
    int64_t *chosen = ranks_shared_memory(sizeof(int64_t) * (size_t)(count + 1));

    if (chosen == NULL)
        return false;
    for (int64_t i = 0; i < count; i++)
        chosen[i] = count == rows ? i : (int64_t)(random_word(key, (uint64_t)i) % (uint64_t)rows);
    job->problem = (struct bound_problem){
        scenario_of(workload->dtype)->out, workload->numerics, workload->ranks, workload->n, JOB_EPSILON, count, chosen,
        form_bound(workload->form)};
    job->terms = ranks_shared_memory(terms_bytes(job));
    return job->terms != NULL;
}

void check_free(struct job *job)
{
    ranks_shared_free(job->terms, terms_bytes(job));
    ranks_shared_free((void *)job->problem.rows, sizeof(int64_t) * (size_t)(job->problem.count + 1));
}

static bool int8_partials(const struct job *job, const struct data *data, struct bound_term *terms)
{
    const struct workload *workload = &job->workload;
    float *scales = malloc(sizeof(*scales) * (size_t)workload->n + 1);
    bool ok = scales != NULL;

    if (ok) {
        quantised_scales(scenario_of(workload->dtype)->scale, data->scale, data_scales(workload), workload->n, scales);
        ok = bound_partials_int8(&job->problem, workload->k, data->x1, data->x2, workload->trans_x2, data->bias, scales,
                                 data->row_scale, terms);
    }
    free(scales);
    return ok;
}

static bool quantised_partials(const struct job *job, const struct data *data, struct bound_term *terms)
{
    const struct workload *workload = &job->workload;
    const struct scenario *scenario = scenario_of(workload->dtype);
    const struct quantised_weights weights = {
        .dtype = scenario->x1,
        .x2_dtype = scenario->x2,
        .k = workload->k,
        .n = workload->n,
        .x2 = data->x2,
        .trans_x2 = workload->trans_x2,
        .group_size = workload->group_size,
        .scale = {data->scale, data_group_stride(workload), data_column_stride(workload)},
        .offset = {data->offset, data_group_stride(workload), data_column_stride(workload)},
    };
    return bound_partials_quantised(&job->problem, &weights, data->x1, data->bias, terms);
}

bool check_partials(struct job *job, int rank, const struct data *data)
{
    const struct workload *workload = &job->workload;
    const struct scenario *scenario = scenario_of(workload->dtype);
    struct bound_term *terms = job->terms + rank * job->problem.count * job->problem.n;

    if (scenario_is_int8(scenario))
        return int8_partials(job, data, terms);
    if (scenario_has_integer_weights(scenario))
        return quantised_partials(job, data, terms);
    return bound_partials(&job->problem, workload->k, data->x1, data->x2, workload->trans_x2, data->bias, terms);
}

bool check_compare(const struct job *job, const struct data *data, struct bound_result *result)
{
    const struct bound_outputs outputs = {
        .residual = job->workload.form == FORM_NO_RESIDUAL ? NULL : data->residual,
        .gamma = data->gamma,
        .y = data->y,
        .norm_out = data->norm_out,
        .norm_scale = data->norm_scale,
    };
    return bound_compare(&job->problem, job->terms, &outputs, result);
}

uint64_t check_hash(const struct workload *workload, const struct data *data)
{
    const size_t bytes =
        scenario_bytes(scenario_of(workload->dtype)->out, (size_t)(workload->b * workload->s * workload->n));
    return hash_bytes(hash_bytes(HASH_START, data->y, bytes), data->norm_out, bytes);
}

bool check_bits_equal(const struct job *job)
{
    for (int rank = 1; rank < job->workload.ranks; rank++)
        if (job->rank[rank].hash != job->rank[0].hash)
            return false;
    return true;
}

struct bound_result check_worst(const struct job *job)
{
    struct bound_result worst = {.ok = true};
    for (int rank = 0; rank < job->workload.ranks; rank++) {
        const struct bound_result *result = &job->rank[rank].bound;
        worst.y = fmax(worst.y, result->y);
        worst.norm = fmax(worst.norm, result->norm);
        worst.ok = worst.ok && result->ok;
    }
    return worst;
}
