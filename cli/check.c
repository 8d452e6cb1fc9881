/*
 * check.c - which rows are checked, where the shared part of the reference lies, and what all ranks found together.
 */
#include "check.h"

#include "ranks.h"
#include "reference/halffloat.h"
#include "reference/random.h"

/* Every row is checked up to about a second's work, and up to so much memory; else JOB_CHECKED_ROWS of them. */
static const double MOST_PRODUCTS = 2e9;
static const double MOST_BYTES = 512e6;

static size_t part_bytes(const struct job *job)
{
    return sizeof(double) * (size_t)(job->workload.ranks * job->problem.count * job->workload.n) + 1;
}

static int64_t rows_to_check(const struct workload *workload)
{
    const int64_t rows = workload->b * workload->s;
    const double columns = (double)workload->n * workload->ranks;
    if (rows <= JOB_CHECKED_ROWS || ((double)rows * columns * (double)workload->k <= MOST_PRODUCTS &&
                                     (double)rows * columns * 2 * sizeof(double) <= MOST_BYTES))
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
        workload->dtype, workload->numerics, workload->ranks, workload->n, JOB_EPSILON, count, chosen};
    job->part = ranks_shared_memory(part_bytes(job));
    job->var = ranks_shared_memory(part_bytes(job));
    return job->part != NULL && job->var != NULL;
}

void check_free(struct job *job)
{
    ranks_shared_free(job->part, part_bytes(job));
    ranks_shared_free(job->var, part_bytes(job));
    ranks_shared_free((void *)job->problem.rows, sizeof(int64_t) * (size_t)(job->problem.count + 1));
}

bool check_partials(struct job *job, int rank, const struct data *data)
{
    const int64_t first = rank * job->problem.count * job->problem.n;
    return bound_partials(&job->problem, job->workload.k, data->x1, data->x2, job->workload.trans_x2, data->bias,
                          job->part + first, job->var + first);
}

bool check_compare(const struct job *job, const struct data *data, struct bound_result *result)
{
    return bound_compare(&job->problem, job->part, job->var, data->residual, data->gamma, data->y, data->norm_out,
                         result);
}

/* FNV-1a, eight bytes at a time; the shift brings high bits down, where the multiplication cannot. */
static uint64_t hash_bytes(uint64_t hash, const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i += sizeof(uint64_t)) {
        uint64_t word = 0;
        __builtin_memcpy(&word, bytes + i, count - i < sizeof(word) ? count - i : sizeof(word));
        hash = (hash ^ word) * 0x100000001b3u;
        hash ^= hash >> 32;
    }
    return hash;
}

uint64_t check_hash(const struct workload *workload, const struct data *data)
{
    const size_t bytes = (size_t)(workload->b * workload->s) * (size_t)workload->n * halffloat_size(workload->dtype);
    return hash_bytes(hash_bytes(0xcbf29ce484222325u, data->y, bytes), data->norm_out, bytes);
}

bool check_bits_equal(const struct job *job)
{
    for (int rank = 1; rank < job->workload.ranks; rank++)
        if (job->rank[rank].hash != job->rank[0].hash)
            return false;
    return true;
}

static void take_worse(struct bound_error *worst, const struct bound_error *error)
{
    if (error->max_ulp > worst->max_ulp)
        worst->max_ulp = error->max_ulp;
    if (error->ratio > worst->ratio) {
        worst->ratio = error->ratio;
        worst->bound_ulp = error->bound_ulp;
    }
}

struct bound_result check_worst(const struct job *job)
{
    struct bound_result worst = {.ok = true};
    for (int rank = 0; rank < job->workload.ranks; rank++) {
        const struct bound_result *result = &job->rank[rank].bound;
        take_worse(&worst.y, &result->y);
        take_worse(&worst.norm, &result->norm);
        worst.ok = worst.ok && result->ok;
    }
    return worst;
}
