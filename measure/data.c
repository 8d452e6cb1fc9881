/* SPDX-License-Identifier: MIT */
/*
 * data.c - see data.h. Sums over k have a standard deviation near 1 in every scenario, as activations do, so that no
 * 16-bit type overflows at any size.
 */
#include "data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "form.h"
#include "reference/halffloat.h"
#include "reference/random.h"

/* The uses of streams of random numbers; each rank has one stream for each. */
enum stream { X1, X2, RESIDUAL, GAMMA, BIAS, SCALE, OFFSET, ROW_SCALE, STREAMS };

/* Rows of the matmul alone: at most as many as the operator itself takes at a time. */
enum { CHUNK_ROWS = 96, CHUNK_STEP = 6 };

/*
 * Standard deviations of quantised numbers: the type's largest is 4.5 times that, or 2.5 times for int4 with its few
 * values.
 */
static const float INT8_DEVIATION = 127.0f / 4.5f, INT4_DEVIATION = 7.0f / 2.5f;

/* Scales range from half to twice their middle. */
enum { OCTAVES = 1 };

static uint64_t key(const struct workload *workload, enum stream stream, int rank)
{
    return random_key(workload->seed, (uint64_t)(rank * STREAMS) + stream);
}

/* Aligned like the memory of numerical programs. Never NULL because there are no elements. */
static void *elements(int32_t dtype, int64_t count)
{
    return aligned_alloc(64, (scenario_bytes(dtype, (size_t)count) / 64 + 1) * 64);
}

int64_t data_chunk_rows(const struct workload *workload)
{
    const int64_t rows = workload->b * workload->s;
    const int64_t chunks = (rows + CHUNK_ROWS - 1) / CHUNK_ROWS;
    const int64_t even = chunks > 0 ? (rows + chunks - 1) / chunks : 0;
    return (even + CHUNK_STEP - 1) / CHUNK_STEP * CHUNK_STEP;
}

int64_t data_groups(const struct workload *workload)
{
    return workload->group_size > 0 ? (workload->k + workload->group_size - 1) / workload->group_size : 1;
}

int64_t data_scales(const struct workload *workload)
{
    switch (workload->scale) {
    case SCALE_PER_TENSOR:
        return 1;
    case SCALE_PER_CHANNEL:
    case SCALE_PER_GROUP:
        return data_groups(workload) * workload->n;
    default:
        return 0;
    }
}

double data_weight_bytes(const struct workload *workload)
{
    const struct scenario *scenario = scenario_of(workload->dtype);
    const double scales = (double)scenario_bytes(scenario->scale, (size_t)data_scales(workload));
    return (double)scenario_bytes(scenario->x2, (size_t)(workload->k * workload->n)) +
           scales * (workload->offset ? 2 : 1);
}

int64_t data_group_stride(const struct workload *workload)
{
    return workload->scale != SCALE_PER_GROUP ? 0 : workload->trans_x2 ? 1 : workload->n;
}

int64_t data_column_stride(const struct workload *workload)
{
    if (workload->scale == SCALE_PER_TENSOR)
        return 0;
    return workload->scale == SCALE_PER_GROUP && workload->trans_x2 ? data_groups(workload) : 1;
}

double data_total_bytes(const struct workload *workload)
{
    const struct scenario *scenario = scenario_of(workload->dtype);
    const double rows = (double)workload->b * (double)workload->s, k = (double)workload->k, n = (double)workload->n;
    return workload->ranks * (rows * k * (double)scenario_bytes(scenario->x1, 1) +
                              3 * rows * n * (double)scenario_bytes(scenario->out, 1) +
                              (1 + workload->operators) * data_weight_bytes(workload) +
                              (double)data_chunk_rows(workload) * n * sizeof(float));
}

static bool allocate(const struct workload *workload, struct data *data)
{
    const struct scenario *scenario = scenario_of(workload->dtype);
    const int64_t rows = workload->b * workload->s, k = workload->k, n = workload->n;
    const struct {
        void **memory;
        bool wanted;
        int32_t dtype;
        int64_t count;
    } tensors[] = {
        {&data->x1, true, scenario->x1, rows * k},
        {&data->x2, true, scenario->x2, k * n},
        {&data->residual, true, scenario->out, rows * n},
        {&data->gamma, true, scenario->out, n},
        {&data->bias, workload->bias, scenario->bias, n},
        {&data->y, true, scenario->out, rows * n},
        {&data->norm_out, true, scenario->out, rows * n},
        {(void **)&data->norm_scale, workload->form == FORM_INT8, MMARN_F32, rows},
        {&data->scale, scenario->scale != 0, scenario->scale, data_scales(workload)},
        {&data->offset, workload->offset, scenario->scale, data_scales(workload)},
        {(void **)&data->row_scale, workload->per_token, MMARN_F32, rows},
        {(void **)&data->partial, true, MMARN_F32, data_chunk_rows(workload) * n},
    };

    for (size_t i = 0; i < sizeof(tensors) / sizeof(tensors[0]); i++) {
        *tensors[i].memory = tensors[i].wanted ? elements(tensors[i].dtype, tensors[i].count) : NULL;
        if (tensors[i].wanted && *tensors[i].memory == NULL)
            return false;
    }
    return true;
}

/* Factors that give the sums of int8 products, with and without scales of rows, a standard deviation near 1. */
static float int8_scale(const struct workload *workload)
{
    const float terms = (float)workload->k * (float)workload->ranks;
    const float weights = 1.0f / (INT8_DEVIATION * sqrtf(terms > 0 ? terms : 1));
    return workload->per_token ? weights : weights / INT8_DEVIATION;
}

static bool fill_int8(const struct workload *workload, int rank, struct data *data)
{
    const struct scenario *scenario = scenario_of(workload->dtype);
    const int64_t rows = workload->b * workload->s, k = workload->k, n = workload->n;
    const float middle = int8_scale(workload), unit = workload->per_token ? middle / INT8_DEVIATION : middle;
    const size_t scales = (size_t)data_scales(workload);
    const bool words = scenario->scale == MMARN_U64;
    float *plain = malloc(sizeof(*plain) * (size_t)(n + 1));

    if (plain == NULL)
        return false;
    random_quanta_normal(key(workload, X1, rank), MMARN_I8, INT8_DEVIATION, data->x1, (size_t)(rows * k));
    random_quanta_normal(key(workload, X2, rank), MMARN_I8, INT8_DEVIATION, data->x2, (size_t)(k * n));
    random_scales(key(workload, SCALE, rank), words ? MMARN_F32 : scenario->scale, middle, OCTAVES,
                  words ? plain : data->scale, scales);
    if (words && scales > 0 && mmarn_trans_quant_param(plain, (int64_t)scales, NULL, 0, 1, data->scale) != MMARN_OK) {
        free(plain);
        return false;
    }
    if (workload->per_token)
        random_scales(key(workload, ROW_SCALE, rank), MMARN_F32, 1.0f / INT8_DEVIATION, OCTAVES, data->row_scale,
                      (size_t)rows);
    if (workload->bias) {
        random_normal(key(workload, BIAS, rank), MMARN_F32, 0.0f, 0.5f / unit, plain, (size_t)n);
        for (int64_t j = 0; j < n; j++)
            ((int32_t *)data->bias)[j] = (int32_t)plain[j];
    }
    free(plain);
    return true;
}

static void fill_floats(const struct workload *workload, int rank, struct data *data)
{
    const struct scenario *scenario = scenario_of(workload->dtype);
    const int64_t rows = workload->b * workload->s, k = workload->k, n = workload->n;
    const float terms = (float)k * (float)workload->ranks;
    const float weight = 1.0f / sqrtf(terms > 0 ? terms : 1);
    const float deviation = scenario->x2 == MMARN_I4 ? INT4_DEVIATION : INT8_DEVIATION;
    const size_t scales = (size_t)data_scales(workload);

    random_normal(key(workload, X1, rank), scenario->x1, 0.0f, 1.0f, data->x1, (size_t)(rows * k));
    if (!scenario_has_integer_weights(scenario)) {
        random_normal(key(workload, X2, rank), scenario->x2, 0.0f, weight, data->x2, (size_t)(k * n));
    } else {
        random_quanta_normal(key(workload, X2, rank), scenario->x2, deviation, data->x2, (size_t)(k * n));
        random_scales(key(workload, SCALE, rank), scenario->scale, weight / deviation, OCTAVES, data->scale, scales);
    }
    if (workload->offset)
        random_uniform(key(workload, OFFSET, rank), scenario->scale, -deviation / 4, deviation / 4, data->offset,
                       scales);
    if (workload->bias)
        random_normal(key(workload, BIAS, rank), scenario->bias, 0.0f, 0.5f, data->bias, (size_t)n);
}

bool data_make(const struct workload *workload, int rank, struct data *data)
{
    const struct scenario *scenario = scenario_of(workload->dtype);
    const size_t outputs = (size_t)(workload->b * workload->s * workload->n);

    data->rank = rank;
    if (!allocate(workload, data))
        return false;
    if (!scenario_is_int8(scenario))
        fill_floats(workload, rank, data);
    else if (!fill_int8(workload, rank, data))
        return false;
    random_normal(key(workload, RESIDUAL, 0), scenario->out, 0.0f, 1.0f, data->residual, outputs);
    random_normal(key(workload, GAMMA, 0), scenario->out, 1.0f, 0.25f, data->gamma, (size_t)workload->n);
    /* All bits set is a NaN in every type. */
    memset(data->y, 0xff, scenario_bytes(scenario->out, outputs));
    memset(data->norm_out, 0xff, scenario_bytes(scenario->out, outputs));
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
    free(data->norm_scale);
    free(data->scale);
    free(data->offset);
    free(data->row_scale);
    free(data->partial);
    *data = (struct data){0};
}
