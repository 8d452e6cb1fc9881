/* SPDX-License-Identifier: MIT */
/* op_case.c - inputs, expected bits and one rank's run. Outputs are poisoned first, and inputs are never zero. */
#include "op_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reference/exact.h"
#include "reference/halffloat.h"
#include "reference/random.h"
#include "support/inputs.h"

enum { STREAM_X1, STREAM_X2, STREAM_BIAS, STREAM_RESIDUAL, STREAM_GAMMA, STREAMS };
static const double EPSILON = 1e-5;

static int64_t rows_of(const struct op_case *shape)
{
    return shape->b ? shape->b * shape->s : shape->s;
}

static int64_t k_of(const struct op_case *shape, int rank)
{
    return shape->k + rank * shape->k_more;
}

static int32_t y_dtype(const struct op_case *shape)
{
    return shape->wide_residual ? MMARN_F32 : shape->dtype;
}

static int32_t gamma_dtype(const struct op_case *shape)
{
    return shape->wide_gamma ? MMARN_F32 : shape->dtype;
}

/* For tiny numbers: a product of x1 and x2 is as large as a bias and a residual. */
static float deviation(const struct op_case *shape, int stream)
{
    const bool half = shape->dtype == MMARN_F16;
    if (!shape->tiny)
        return 1;
    if (stream == STREAM_X1 || stream == STREAM_X2)
        return half ? 0x1p-11F : 0x1p-65F;
    return stream == STREAM_GAMMA ? 0x1p-9F : half ? 0x1p-21F : 0x1p-129F;
}

static void *random_array(const struct op_case *shape, int32_t dtype, int rank, int stream, int64_t count)
{
    return inputs_normal(random_key(test_seed(), (uint64_t)(rank * STREAMS + stream)), dtype, 0.0F,
                         deviation(shape, stream), count);
}

/* The calls of the parts alone start from the partials, rounded once to the dtype. */
static void round_partial(const struct op_case *shape, struct op_data *data, int rank, float *partial)
{
    int64_t count = rows_of(shape) * shape->n;
    data->x[rank] = malloc((size_t)count * halffloat_size(shape->dtype));
    for (int64_t i = 0; i < count; i++) {
        halffloat_store(shape->dtype, data->x[rank], (size_t)i, partial[i]);
        partial[i] = halffloat_load(shape->dtype, data->x[rank], (size_t)i);
    }
}

/* Enlarges every second row. */
static void enlarge(const struct op_case *shape, void *residual)
{
    for (int64_t row = 0; row < rows_of(shape) && shape->huge; row += 2)
        for (int64_t i = row * shape->n; i < (row + 1) * shape->n; i++)
            halffloat_store(y_dtype(shape), residual, (size_t)i,
                            ldexpf(halffloat_load(y_dtype(shape), residual, (size_t)i), shape->huge));
}

void op_data_make(struct op_data *data, const struct op_case *shape, int world_size)
{
    *data = (struct op_data){.shape = shape, .world_size = world_size};
    int64_t rows = rows_of(shape), n = shape->n;
    float *partials[MMARN_MAX_RANKS] = {0};
    for (int r = 0; r < world_size; r++) {
        int64_t k = k_of(shape, r);
        data->x1[r] = random_array(shape, shape->dtype, r, STREAM_X1, rows * k);
        data->x2[r] = random_array(shape, shape->dtype, r, STREAM_X2, k * n);
        data->bias[r] = shape->bias ? random_array(shape, shape->dtype, r, STREAM_BIAS, n) : NULL;
        data->residual[r] = random_array(shape, y_dtype(shape), r, STREAM_RESIDUAL, rows * n);
        enlarge(shape, data->residual[r]);
        data->gamma[r] = random_array(shape, gamma_dtype(shape), r, STREAM_GAMMA, n);
        partials[r] = malloc((size_t)(rows * n) * sizeof(float));
        const void *bias = shape->bias_once && r > 0 ? NULL : data->bias[r];
        exact_partial(shape->dtype, exact_chain(shape->dtype), rows, k, n, data->x1[r], data->x2[r], shape->trans_x2,
                      bias, partials[r]);
        if (shape->call == OP_CASE_PARTS)
            round_partial(shape, data, r, partials[r]);
    }
    data->mm = malloc((size_t)(rows * n) * sizeof(float));
    exact_reduce(shape->dtype, shape->numerics, world_size, rows * n, (const float *const *)partials, data->mm);
    for (int r = 0; r < world_size; r++)
        free(partials[r]);
}

void op_data_free(struct op_data *data)
{
    for (int r = 0; r < data->world_size; r++) {
        free(data->x1[r]);
        free(data->x2[r]);
        free(data->bias[r]);
        free(data->residual[r]);
        free(data->gamma[r]);
        free(data->x[r]);
    }
    free(data->mm);
}

void op_case_text(const struct op_case *shape, char *text, size_t size)
{
    static const char *const calls[] = {"packed", "borrowed", "once", "parts"};
    static const char *const dtypes[] = {"?", "f16", "bf16", "f32"};
    static const char *const modes[] = {"default", "ascend", "fp32"};
    snprintf(text, size, "%s b %lld s %lld k %lld(+%lld) n %lld, %s, %s, %d threads%s%s%s%s%s%s%s, residual * 2^%d, %s",
             dtypes[shape->dtype], (long long)shape->b, (long long)shape->s, (long long)shape->k,
             (long long)shape->k_more, (long long)shape->n, modes[shape->numerics], calls[shape->call], shape->threads,
             shape->bias ? ", bias" : "", shape->bias_once ? " once" : "", shape->trans_x2 ? ", x2 transposed" : "",
             shape->in_place ? ", in place" : "", shape->wide_residual ? ", f32 residual" : "",
             shape->wide_gamma ? ", f32 gamma" : "", shape->tiny ? ", tiny" : "", shape->huge,
             odd_env_name(shape->env));
}

/* --------------------------------------------------------------------------------------------- one rank's run */

struct buffers {
    mmarn_tensor x1, x2, bias, gamma, residual, y, norm_out, x;
};

static mmarn_tensor rows_tensor(const struct op_case *shape, int32_t dtype, void *data, int64_t columns)
{
    if (shape->b)
        return mmarn_tensor_make(data, dtype, 3, (int64_t[]){shape->b, shape->s, columns});
    return mmarn_tensor_make(data, dtype, 2, (int64_t[]){shape->s, columns});
}

static mmarn_tensor x2_tensor(const struct op_case *shape, void *data, int64_t k)
{
    if (!shape->trans_x2)
        return mmarn_tensor_make(data, shape->dtype, 2, (int64_t[]){k, shape->n});
    mmarn_tensor stored = mmarn_tensor_make(data, shape->dtype, 2, (int64_t[]){shape->n, k});
    return mmarn_tensor_transpose(&stored);
}

static mmarn_status call_op(mmarn_comm *comm, const struct op_case *shape, const struct buffers *t)
{
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    config.x2 = &t->x2;
    config.gamma = &t->gamma;
    config.bias = shape->bias ? &t->bias : NULL;
    config.epsilon = EPSILON;
    config.numerics = shape->numerics;
    config.flags = (shape->bias_once ? MMARN_BIAS_ONCE : 0) | (shape->call == OP_CASE_BORROWED ? MMARN_BORROW_X2 : 0);
    if (shape->call == OP_CASE_PARTS)
        return mmarn_all_reduce_add_rms_norm(comm, NORM_CONFIG(&t->gamma, EPSILON, shape->numerics),
                                             STEP(&t->x, &t->residual, &t->y, &t->norm_out));
    if (shape->call == OP_CASE_ONCE)
        return mmarn_mm_all_reduce_add_rms_norm(comm, &config, STEP(&t->x1, &t->residual, &t->y, &t->norm_out));
    mmarn_op *op = NULL;
    mmarn_status status = mmarn_op_create(comm, &config, &op);
    if (status == MMARN_OK)
        status = mmarn_op_run(op, STEP(&t->x1, &t->residual, &t->y, &t->norm_out));
    mmarn_op_destroy(op);
    return status;
}

static void expect(const struct op_data *data, int rank, char *y, char *norm_out)
{
    const struct op_case *shape = data->shape;
    exact_add(y_dtype(shape), rows_of(shape) * shape->n, data->mm, data->residual[rank], y);
    exact_norm((struct exact_norm_dtypes){y_dtype(shape), gamma_dtype(shape), shape->dtype}, shape->numerics,
               rows_of(shape), shape->n, y, data->gamma[rank], EPSILON, norm_out);
}

uint64_t op_hash(uint64_t hash, int32_t dtype, const void *array, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        uint32_t element = 0;
        if (dtype == MMARN_F32)
            element = ((const uint32_t *)array)[i];
        else
            element = ((const uint16_t *)array)[i];
        for (size_t byte = 0; byte < halffloat_size(dtype); byte++)
            hash = (hash ^ (element >> 8 * byte & 0xFF)) * UINT64_C(0x100000001b3);
    }
    return hash;
}

uint64_t op_data_hash(const struct op_data *data)
{
    const int32_t dtype = data->shape->dtype, y_type = y_dtype(data->shape);
    const int64_t count = rows_of(data->shape) * data->shape->n;
    uint64_t hash = OP_HASH;
    char *y = malloc((size_t)count * halffloat_size(y_type)), *norm_out = malloc((size_t)count * halffloat_size(dtype));
    for (int r = 0; r < data->world_size; r++) {
        expect(data, r, y, norm_out);
        hash = op_hash(op_hash(hash, y_type, y, count), dtype, norm_out, count);
    }
    free(y);
    free(norm_out);
    return hash;
}

static bool compare(const struct op_case *shape, const char *name, int32_t dtype, const char *got, const char *expected)
{
    size_t size = halffloat_size(dtype);
    int64_t n = shape->n;
    for (int64_t i = 0; i < rows_of(shape) * n; i++) {
        if (memcmp(got + (size_t)i * size, expected + (size_t)i * size, size) == 0)
            continue;
        char text[256];
        op_case_text(shape, text, sizeof text);
        return expect_fail("%s: %s[%lld][%lld] is %.9g instead of %.9g", text, name, (long long)(i / n),
                           (long long)(i % n), (double)halffloat_load(dtype, got, (size_t)i),
                           (double)halffloat_load(dtype, expected, (size_t)i));
    }
    return true;
}

static bool run_once(struct group_rank *rank, mmarn_comm *comm, const struct op_data *data, char *y, char *norm_out,
                     char *residual)
{
    const struct op_case *shape = data->shape;
    int me = rank->rank;
    int64_t k = k_of(shape, me);
    size_t bytes = (size_t)(rows_of(shape) * shape->n) * halffloat_size(y_dtype(shape));
    memset(y, 0xA5, bytes);
    memset(norm_out, 0xA5, bytes);
    memcpy(residual, data->residual[me], bytes);
    struct buffers t = {
        .x1 = rows_tensor(shape, shape->dtype, data->x1[me], k),
        .x2 = x2_tensor(shape, data->x2[me], k),
        .bias = mmarn_tensor_make(data->bias[me], shape->dtype, 1, &shape->n),
        .gamma = mmarn_tensor_make(data->gamma[me], gamma_dtype(shape), 1, &shape->n),
        .residual = rows_tensor(shape, y_dtype(shape), residual, shape->n),
        .y = rows_tensor(shape, y_dtype(shape), shape->in_place ? residual : y, shape->n),
        .norm_out = rows_tensor(shape, shape->dtype, norm_out, shape->n),
        .x = rows_tensor(shape, shape->dtype, data->x[me], shape->n),
    };
    const enum odd_env env = me == rank->world_size - 1 ? shape->env : ODD_NONE;
    odd_env_set(env);
    const mmarn_status status = call_op(comm, shape, &t);
    EXPECT(odd_env_kept(env), "the environment %s was not kept", odd_env_name(env));
    EXPECT_STATUS(status, MMARN_OK);
    if (shape->in_place)
        memcpy(y, residual, bytes);
    return true;
}

bool op_case_run(struct group_rank *rank, mmarn_comm *comm, const struct op_data *data)
{
    const struct op_case *shape = data->shape;
    int64_t rows = rows_of(shape);
    size_t bytes = (size_t)(rows * shape->n) * halffloat_size(y_dtype(shape));
    char *y = malloc(bytes), *norm_out = malloc(bytes), *residual = malloc(bytes);
    char *expected_y = malloc(bytes), *expected_norm = malloc(bytes);
    expect(data, rank->rank, expected_y, expected_norm);
    bool ok = true;
    for (int i = 0; ok && i < 2; i++)
        ok = run_once(rank, comm, data, y, norm_out, residual) && compare(shape, "y", y_dtype(shape), y, expected_y) &&
             compare(shape, "norm_out", shape->dtype, norm_out, expected_norm);
    free(y);
    free(norm_out);
    free(residual);
    free(expected_y);
    free(expected_norm);
    return ok;
}

bool op_batch_run(struct group_rank *rank, void *ctx)
{
    const struct op_batch *batch = ctx;
    mmarn_comm *comm = group_join(rank, batch->threads);
    bool ok = comm;
    for (int i = 0; ok && i < batch->count; i++)
        ok = op_case_run(rank, comm, &batch->data[i]);
    mmarn_comm_destroy(comm);
    return ok;
}
