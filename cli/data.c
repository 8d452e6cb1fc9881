/*
 * data.c - see data.h. Sums over k come out with a standard deviation near 1, as activations do, so that no 16-bit type
 * overflows at any size.
 */
#include "data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reference/halffloat.h"
#include "reference/random.h"

/* What a stream of random numbers is for; one per rank, and per operator for X2. */
enum stream { X1, X2, RESIDUAL, GAMMA, BIAS, STREAMS };

/* Rows of the matmul alone: what the operator itself takes at a time, at most. */
enum { CHUNK_ROWS = 96, CHUNK_STEP = 6 };

static uint64_t key(const struct workload *workload, enum stream stream, int rank, int which)
{
    return random_key(workload->seed, (uint64_t)((which * MMARN_MAX_RANKS + rank) * STREAMS) + stream);
}

/* Aligned like the memory of numerical programs; never NULL for lack of elements. */
static void *elements(int64_t rows, int64_t columns, size_t size)
{
    const size_t bytes = (size_t)rows * (size_t)columns * size;
    return aligned_alloc(64, (bytes / 64 + 1) * 64);
}

int64_t data_chunk_rows(const struct workload *workload)
{
    const int64_t rows = workload->b * workload->s;
    const int64_t chunks = (rows + CHUNK_ROWS - 1) / CHUNK_ROWS;
    const int64_t even = chunks > 0 ? (rows + chunks - 1) / chunks : 0;
    return (even + CHUNK_STEP - 1) / CHUNK_STEP * CHUNK_STEP;
}

double data_total_bytes(const struct workload *workload)
{
    const double rows = (double)workload->b * (double)workload->s, k = (double)workload->k, n = (double)workload->n;
    const double size = (double)halffloat_size(workload->dtype);
    return workload->ranks * ((rows * k + 3 * rows * n + (1 + workload->operators) * k * n) * size +
                              (double)data_chunk_rows(workload) * n * sizeof(float));
}

void data_fill_x2(const struct workload *workload, int rank, int which, void *x2)
{
    const double terms = (double)workload->k * workload->ranks;
    random_normal(key(workload, X2, rank, which), workload->dtype, 0.0f, (float)(1.0 / sqrt(terms > 0 ? terms : 1)), x2,
                  (size_t)(workload->k * workload->n));
}

bool data_make(const struct workload *workload, int rank, struct data *data)
{
    const int64_t rows = workload->b * workload->s, k = workload->k, n = workload->n;
    const int dtype = workload->dtype;
    const size_t size = halffloat_size(dtype);

    data->x1 = elements(rows, k, size);
    data->x2 = elements(k, n, size);
    data->residual = elements(rows, n, size);
    data->gamma = elements(1, n, size);
    data->bias = workload->bias ? elements(1, n, size) : NULL;
    data->y = elements(rows, n, size);
    data->norm_out = elements(rows, n, size);
    data->partial = elements(data_chunk_rows(workload), n, sizeof(float));
    if (data->x1 == NULL || data->x2 == NULL || data->residual == NULL || data->gamma == NULL || data->y == NULL ||
        data->norm_out == NULL || data->partial == NULL || (workload->bias && data->bias == NULL))
        return false;
    random_normal(key(workload, X1, rank, 0), dtype, 0.0f, 1.0f, data->x1, (size_t)(rows * k));
    random_normal(key(workload, RESIDUAL, 0, 0), dtype, 0.0f, 1.0f, data->residual, (size_t)(rows * n));
    random_normal(key(workload, GAMMA, 0, 0), dtype, 1.0f, 0.25f, data->gamma, (size_t)n);
    if (workload->bias)
        random_normal(key(workload, BIAS, rank, 0), dtype, 0.0f, 0.5f, data->bias, (size_t)n);
    /* All ones are a NaN in every type. */
    memset(data->y, 0xff, (size_t)(rows * n) * size);
    memset(data->norm_out, 0xff, (size_t)(rows * n) * size);
    return true;
}

void data_free(struct data *data)
{
    free(data->x1);
    free(data->x2);
    free(data->residual);
    free(data->gamma);
    free(data->bias);
    free(data->y);
    free(data->norm_out);
    free(data->partial);
    *data = (struct data){0};
}
