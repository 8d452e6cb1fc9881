/* SPDX-License-Identifier: MIT */
/* quant_case.c - inputs, expected bits and one rank's run of the quantised scenarios. Outputs are poisoned first. */
#include "quant_case.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op_case.h"
#include "reference/exact.h"
#include "reference/halffloat.h"
#include "reference/quantised.h"
#include "reference/random.h"
#include "support/inputs.h"

static const double EPSILON = 1e-5;

struct rank_data {
    void *x1, *x2, *bias, *scale, *offset, *residual, *gamma;
    float *x1_scale;
};

struct quant_data_set {
    struct quant_case shape;
    int world_size;
    int64_t groups, scale_count;
    struct rank_data ranks[MMARN_MAX_RANKS];
    float *mm;
};

static bool is_int8(const struct quant_case *shape)
{
    return shape->x_dtype == MMARN_I8;
}

static int32_t y_dtype(const struct quant_case *shape)
{
    return shape->wide_residual ? MMARN_F32 : shape->out_dtype;
}

static int32_t gamma_dtype(const struct quant_case *shape)
{
    return shape->wide_gamma ? MMARN_F32 : shape->out_dtype;
}

static size_t bytes_of(int32_t dtype, int64_t count)
{
    if (dtype == MMARN_I8 || dtype == MMARN_I4)
        return quantised_bytes(dtype, (size_t)count);
    return (size_t)count * (dtype == MMARN_I64 || dtype == MMARN_U64 ? 8 : halffloat_size(dtype));
}

/* For outputs most of which are subnormal in their type. */
static int tiny_exponent(const struct quant_case *shape)
{
    return shape->out_dtype == MMARN_F16 ? -20 : -130;
}

static float scale_value(const struct quant_case *shape, uint64_t word)
{
    static const float odd[] = {INFINITY, -INFINITY, 1e-30F, 3e38F, -1e-40F, 6e-8F, 65504.0F, 0.0F};
    if (shape->data == QUANT_HOSTILE && word % 5 == 0)
        return word % 25 == 0 ? NAN : odd[word / 25 % 8];
    const int least = shape->data != QUANT_TINY ? -8 : is_int8(shape) ? tiny_exponent(shape) - 17 : -18;
    return ldexpf(1.0F + (float)(word >> 40 & 0xFFFF) / 65536.0F, least + (int)(word >> 32 & 3));
}

static void *scales(const struct quant_case *shape, int32_t dtype, int64_t count, uint64_t key)
{
    char *array = malloc(bytes_of(dtype, count));
    for (int64_t i = 0; i < count; i++) {
        const float value = scale_value(shape, random_word(key, (uint64_t)i));
        /* Words as encoders of version 1 write them: with low bits set, and an offset that has no effect. */
        const uint64_t word = quantised_word(value, 3.0F, 0) | (random_word(key, (uint64_t)i) & 0x1FFF);
        if (dtype == MMARN_I64 || dtype == MMARN_U64)
            memcpy(array + i * 8, &word, sizeof word);
        else
            halffloat_store(dtype, array, (size_t)i, value);
    }
    return array;
}

static void make_rank(struct quant_data_set *set, int rank, uint64_t seed)
{
    const struct quant_case *shape = &set->shape;
    struct rank_data *data = &set->ranks[rank];
    uint64_t stream = (uint64_t)rank * 16;
    const int64_t rows = shape->rows, k = shape->k, n = shape->n;
    const bool tiny = shape->data == QUANT_TINY, ends = shape->data == QUANT_EXTREME;
    const float out = tiny ? ldexpf(1, tiny_exponent(shape)) : 1;
    data->x2 = inputs_integers(random_key(seed, stream++), shape->x2_dtype, ends, k * n);
    data->residual = inputs_normal(random_key(seed, stream++), y_dtype(shape), 0.0F, out, rows * n);
    data->gamma = inputs_normal(random_key(seed, stream++), gamma_dtype(shape), 0.0F, tiny ? 0x1p-9F : 1, n);
    if (is_int8(shape)) {
        data->x1 = inputs_integers(random_key(seed, stream++), MMARN_I8, ends, rows * k);
        data->scale = scales(shape, shape->scale_dtype, set->scale_count, random_key(seed, stream++));
        data->x1_scale = inputs_normal(random_key(seed, stream++), MMARN_F32, 0.0F, 1, rows);
        data->bias = malloc((size_t)n * sizeof(int32_t));
        for (int64_t j = 0; j < n; j++)
            ((int32_t *)data->bias)[j] = (int32_t)random_word(random_key(seed, stream), (uint64_t)j) >> 8;
        return;
    }
    data->x1 = inputs_normal(random_key(seed, stream++), shape->x_dtype, 0.0F, tiny ? out * 0x1p9F : 1, rows * k);
    data->bias = inputs_normal(random_key(seed, stream++), shape->x_dtype, 0.0F, out, n);
    data->scale = scales(shape, shape->x_dtype, set->scale_count, random_key(seed, stream++));
    data->offset = inputs_normal(random_key(seed, stream++), shape->x_dtype, 0.0F, 1, set->scale_count);
}

/* Scales are stored as (groups, n), or as (n, groups) if their view must be strided. */
static struct quantised_values values_of(const struct quant_data_set *set, const void *data)
{
    const struct quant_case *shape = &set->shape;
    if (shape->scale == QUANT_PER_TENSOR)
        return (struct quantised_values){data, 0, 0};
    if (shape->scale == QUANT_PER_CHANNEL)
        return (struct quantised_values){data, 0, 1};
    return shape->strided_scale ? (struct quantised_values){data, 1, set->groups}
                                : (struct quantised_values){data, shape->n, 1};
}

static void partial_int8(const struct quant_data_set *set, int rank, float *partial)
{
    const struct quant_case *shape = &set->shape;
    const struct rank_data *data = &set->ranks[rank];
    int32_t *sums = malloc((size_t)(shape->rows * shape->n) * sizeof *sums);
    float *values = malloc((size_t)shape->n * sizeof *values);
    quantised_sums(shape->rows, shape->k, shape->n, data->x1, data->x2, shape->trans_x2,
                   shape->bias ? data->bias : NULL, sums);
    quantised_scales(shape->scale_dtype, data->scale, set->scale_count, shape->n, values);
    quantised_dequantise(shape->rows, shape->n, sums, values, shape->per_token ? data->x1_scale : NULL, partial);
    free(sums);
    free(values);
}

static void partial_weights(const struct quant_data_set *set, int rank, float *partial)
{
    const struct quant_case *shape = &set->shape;
    const struct rank_data *data = &set->ranks[rank];
    struct quantised_weights weights = {
        .dtype = shape->x_dtype,
        .x2_dtype = shape->x2_dtype,
        .k = shape->k,
        .n = shape->n,
        .x2 = data->x2,
        .trans_x2 = shape->trans_x2,
        .group_size = shape->group,
        .scale = values_of(set, data->scale),
        .offset = values_of(set, shape->offset ? data->offset : NULL),
    };
    quantised_partial(&weights, shape->numerics, shape->rows, data->x1, shape->bias ? data->bias : NULL, partial);
}

struct quant_data_set *quant_data_make(const struct quant_case *shape, int world_size, uint64_t stream)
{
    struct quant_data_set *set = calloc(1, sizeof *set);
    float *partials[MMARN_MAX_RANKS] = {0};
    const int64_t count = shape->rows * shape->n;
    set->shape = *shape;
    set->world_size = world_size;
    set->groups = shape->scale == QUANT_PER_GROUP ? (shape->k + shape->group - 1) / shape->group : 1;
    set->scale_count = shape->scale == QUANT_PER_TENSOR ? 1 : set->groups * shape->n;
    for (int r = 0; r < world_size; r++) {
        make_rank(set, r, test_seed() + stream);
        partials[r] = malloc((size_t)count * sizeof(float));
        if (is_int8(shape))
            partial_int8(set, r, partials[r]);
        else
            partial_weights(set, r, partials[r]);
    }
    set->mm = malloc((size_t)count * sizeof(float));
    exact_reduce(shape->out_dtype, shape->numerics, world_size, count, (const float *const *)partials, set->mm);
    for (int r = 0; r < world_size; r++)
        free(partials[r]);
    return set;
}

void quant_data_free(struct quant_data_set *set)
{
    for (int r = 0; r < set->world_size; r++) {
        struct rank_data *data = &set->ranks[r];
        void *arrays[] = {data->x1,     data->x2,       data->bias,  data->scale,
                          data->offset, data->residual, data->gamma, data->x1_scale};
        for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
            free(arrays[i]);
    }
    free(set->mm);
    free(set);
}

void quant_case_text(const struct quant_case *shape, char *text, size_t size)
{
    static const char *const dtypes[] = {"?", "f16", "bf16", "f32", "i8", "i4", "i32", "i64", "u64"};
    snprintf(text, size,
             "%s x %s -> %s (scale %s), rows %lld k %lld n %lld group %lld, numerics %d scale %d call %d data %d "
             "threads %d%s%s%s%s%s%s%s, %s",
             dtypes[shape->x_dtype], dtypes[shape->x2_dtype], dtypes[shape->out_dtype], dtypes[shape->scale_dtype],
             (long long)shape->rows, (long long)shape->k, (long long)shape->n, (long long)shape->group,
             (int)shape->numerics, shape->scale, shape->call, shape->data, shape->threads,
             shape->offset ? ", offset" : "", shape->bias ? ", bias" : "", shape->trans_x2 ? ", transposed" : "",
             shape->per_token ? ", per token" : "", shape->strided_scale ? ", strided scale" : "",
             shape->wide_residual ? ", f32 residual" : "", shape->wide_gamma ? ", f32 gamma" : "",
             odd_env_name(shape->env));
}

/* --------------------------------------------------------------------------------------------- one rank's run */

static mmarn_tensor matrix(void *data, int32_t dtype, int64_t a, int64_t b)
{
    return mmarn_tensor_make(data, dtype, 2, (int64_t[]){a, b});
}

static mmarn_tensor scale_tensor(const struct quant_data_set *set, void *data, int32_t dtype)
{
    const struct quant_case *shape = &set->shape;
    if (shape->scale == QUANT_PER_TENSOR)
        return mmarn_tensor_make(data, dtype, 1, (int64_t[]){1});
    if (shape->scale == QUANT_PER_CHANNEL)
        return matrix(data, dtype, 1, shape->n);
    if (!shape->strided_scale)
        return matrix(data, dtype, set->groups, shape->n);
    mmarn_tensor stored = matrix(data, dtype, shape->n, set->groups);
    return mmarn_tensor_transpose(&stored);
}

static mmarn_status call_op(mmarn_comm *comm, const struct quant_data_set *set, int me, void *y, void *norm_out)
{
    const struct quant_case *shape = &set->shape;
    const struct rank_data *data = &set->ranks[me];
    const int64_t rows = shape->rows, k = shape->k, n = shape->n;
    const mmarn_tensor x1 = matrix(data->x1, shape->x_dtype, rows, k);
    mmarn_tensor x2 = matrix(data->x2, shape->x2_dtype, shape->trans_x2 ? n : k, shape->trans_x2 ? k : n);
    if (shape->trans_x2)
        x2 = mmarn_tensor_transpose(&x2);
    const mmarn_tensor bias = mmarn_tensor_make(data->bias, is_int8(shape) ? MMARN_I32 : shape->x_dtype, 1, &n);
    const mmarn_tensor gamma = mmarn_tensor_make(data->gamma, gamma_dtype(shape), 1, &n);
    const mmarn_tensor scale = scale_tensor(set, data->scale, is_int8(shape) ? shape->scale_dtype : shape->x_dtype);
    const mmarn_tensor offset = scale_tensor(set, data->offset, shape->x_dtype);
    const mmarn_tensor x1_scale = mmarn_tensor_make(data->x1_scale, MMARN_F32, 1, &rows);
    const mmarn_tensor residual = matrix(data->residual, y_dtype(shape), rows, n);
    const mmarn_tensor y_t = matrix(y, y_dtype(shape), rows, n), norm_t = matrix(norm_out, shape->out_dtype, rows, n);
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    config.x2 = &x2;
    config.gamma = &gamma;
    config.bias = shape->bias ? &bias : NULL;
    config.epsilon = EPSILON;
    config.numerics = shape->numerics;
    config.flags = shape->call == QUANT_BORROWED ? MMARN_BORROW_X2 : 0;
    config.dequant_scale = is_int8(shape) ? &scale : NULL;
    config.antiquant_scale = is_int8(shape) ? NULL : &scale;
    config.antiquant_offset = shape->offset ? &offset : NULL;
    config.antiquant_group_size = shape->group;
    mmarn_step step = *STEP(&x1, &residual, &y_t, &norm_t);
    step.x1_scale = shape->per_token ? &x1_scale : NULL;
    if (shape->call == QUANT_ONCE)
        return mmarn_mm_all_reduce_add_rms_norm(comm, &config, &step);
    mmarn_op *op = NULL;
    mmarn_status status = mmarn_op_create(comm, &config, &op);
    if (status == MMARN_OK)
        status = mmarn_op_run(op, &step);
    mmarn_op_destroy(op);
    return status;
}

static void expect(const struct quant_data_set *set, int rank, void *y, void *norm_out)
{
    const struct quant_case *shape = &set->shape;
    const struct rank_data *data = &set->ranks[rank];
    exact_add(y_dtype(shape), shape->rows * shape->n, set->mm, data->residual, y);
    exact_norm((struct exact_norm_dtypes){y_dtype(shape), gamma_dtype(shape), shape->out_dtype}, shape->numerics,
               shape->rows, shape->n, y, data->gamma, EPSILON, norm_out);
}

uint64_t quant_data_hash(const struct quant_data_set *set)
{
    const int32_t dtype = set->shape.out_dtype, y_type = y_dtype(&set->shape);
    const int64_t count = set->shape.rows * set->shape.n;
    uint64_t hash = OP_HASH;
    void *y = malloc(bytes_of(y_type, count)), *norm_out = malloc(bytes_of(dtype, count));
    for (int r = 0; r < set->world_size; r++) {
        expect(set, r, y, norm_out);
        hash = op_hash(op_hash(hash, y_type, y, count), dtype, norm_out, count);
    }
    free(y);
    free(norm_out);
    return hash;
}

static bool compare(const struct quant_case *shape, const char *name, int32_t dtype, const void *got,
                    const void *expected)
{
    for (int64_t i = 0; i < shape->rows * shape->n; i++) {
        const float a = halffloat_load(dtype, got, (size_t)i);
        const float b = halffloat_load(dtype, expected, (size_t)i);
        if ((isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0)
            continue;
        char text[320];
        quant_case_text(shape, text, sizeof text);
        return expect_fail("%s: %s[%lld][%lld] is %.9g instead of %.9g", text, name, (long long)(i / shape->n),
                           (long long)(i % shape->n), (double)a, (double)b);
    }
    return true;
}

bool quant_case_run(struct group_rank *rank, mmarn_comm *comm, const struct quant_data_set *set)
{
    const struct quant_case *shape = &set->shape;
    const size_t bytes = bytes_of(y_dtype(shape), shape->rows * shape->n);
    char *y = malloc(bytes), *norm_out = malloc(bytes), *expected_y = malloc(bytes), *expected_norm = malloc(bytes);
    memset(y, 0xA5, bytes);
    memset(norm_out, 0xA5, bytes);
    expect(set, rank->rank, expected_y, expected_norm);
    const enum odd_env env = rank->rank == rank->world_size - 1 ? shape->env : ODD_NONE;
    odd_env_set(env);
    const mmarn_status status = call_op(comm, set, rank->rank, y, norm_out);
    const bool kept = odd_env_kept(env);
    bool ok = !kept                ? expect_fail("the environment %s was not kept", odd_env_name(env))
              : status == MMARN_OK ? compare(shape, "y", y_dtype(shape), y, expected_y) &&
                                         compare(shape, "norm_out", shape->out_dtype, norm_out, expected_norm)
                                   : expect_fail("%s", mmarn_last_error());
    free(y);
    free(norm_out);
    free(expected_y);
    free(expected_norm);
    return ok;
}

bool quant_batch_run(struct group_rank *rank, void *ctx)
{
    const struct quant_batch *batch = ctx;
    mmarn_comm *comm = group_join(rank, batch->threads);
    bool ok = comm;
    for (int i = 0; ok && i < batch->count; i++)
        ok = quant_case_run(rank, comm, batch->sets[i]);
    mmarn_comm_destroy(comm);
    return ok;
}
