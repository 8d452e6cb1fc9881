/* SPDX-License-Identifier: MIT */
/* form_case.c - see form_case.h. Outputs, and the bytes after them, are poisoned first. */
#include "form_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reference/exact.h"
#include "reference/forms.h"
#include "reference/halffloat.h"
#include "reference/random.h"
#include "support/inputs.h"
#include "support/seed.h"

enum { POISON = 0xA5, BEHIND = 64 };
enum { STREAM_X1, STREAM_X2, STREAM_BIAS, STREAM_X3, STREAM_RESIDUAL, STREAM_GAMMA, STREAMS };
static const double EPSILON = 1e-5;

static bool has_matmul(const struct form_case *c)
{
    return c->call < FORM_ALL_REDUCE_NORM;
}

/* ------------------------------------------------------------------------------------------------ random cases */

static int32_t dtype_or_none(uint64_t *state, int32_t dtype)
{
    return inputs_coin(state) ? 0 : inputs_coin(state) ? MMARN_F32 : dtype;
}

static void choose_outputs(struct form_case *c, uint64_t *state)
{
    c->residual = dtype_or_none(state, c->dtype);
    c->y = inputs_coin(state) ? 0 : c->residual ? c->residual : inputs_coin(state) ? MMARN_F32 : c->dtype;
    c->in_place = c->residual && c->y && inputs_coin(state);
    c->norm = c->gamma ? (inputs_coin(state) ? c->dtype : inputs_coin(state) ? MMARN_I8 : 0) : 0;
    c->rstd = c->gamma && inputs_coin(state);
    c->mm_out = c->call != FORM_ADD_NORM && inputs_coin(state);
    if (!c->y && !c->norm && !c->rstd && !c->mm_out)
        c->y = c->residual ? c->residual : c->dtype;
}

struct form_case form_case_random(uint64_t key)
{
    static const int64_t sizes[] = {1, 3, 16, 33, 64, 250, 700};
    uint64_t state = key;
    struct form_case c = {.call = (enum form_call)(test_random(&state) % FORM_CALLS)};
    c.dtype = MMARN_F16 + (int32_t)(test_random(&state) % 3);
    c.numerics = (int32_t)(test_random(&state) % 3);
    c.gamma_dtype = inputs_coin(&state) ? MMARN_F32 : c.dtype;
    c.rows = 1 + (int64_t)(test_random(&state) % 3 ? test_random(&state) % 9 : test_random(&state) % 120);
    c.k = sizes[test_random(&state) % 6];
    c.n = sizes[test_random(&state) % 7];
    c.bias = inputs_coin(&state) && has_matmul(&c);
    c.x3 = has_matmul(&c) ? dtype_or_none(&state, c.dtype) : 0;
    c.plus_one = inputs_coin(&state);
    c.norm_first = inputs_coin(&state);
    c.shard = c.call != FORM_ADD_NORM && inputs_coin(&state);
    c.gamma = c.call != FORM_MM_ALL_REDUCE && (c.call != FORM_OP_RUN || test_random(&state) % 4);
    if (c.call == FORM_MM_ALL_REDUCE)
        c.mm_out = true;
    else
        choose_outputs(&c, &state);
    return c;
}

void form_case_text(const struct form_case *c, char *text, size_t size)
{
    static const char *const calls[] = {"op_run", "once", "mm_all_reduce", "all_reduce_norm", "add_norm"};
    static const char *const names[] = {"-", "f16", "bf16", "f32", "i8"};
    static const char *const modes[] = {"default", "ascend", "fp32"};
    snprintf(text, size, "%s %s %s, %lld x %lld x %lld, residual %s, y %s, norm_out %s, x3 %s, gamma %s%s%s%s%s%s%s%s",
             calls[c->call], names[c->dtype], modes[c->numerics], (long long)c->rows, (long long)c->k, (long long)c->n,
             names[c->residual], names[c->y], names[c->norm], names[c->x3], c->gamma ? names[c->gamma_dtype] : "-",
             c->mm_out ? ", mm_out" : "", c->rstd ? ", rstd" : "", c->bias ? ", bias" : "",
             c->in_place ? ", in place" : "", c->plus_one ? ", 1 + gamma" : "", c->norm_first ? ", norm first" : "",
             c->shard ? ", sharded" : "");
}

/* ------------------------------------------------------------------------------------------------------- inputs */

static void *random_array(uint64_t key, int rank, int stream, int32_t dtype, int64_t count)
{
    return inputs_normal(random_key(key, (uint64_t)(rank * STREAMS + stream)), dtype, 0.0F, 1.0F, count);
}

/* One rank's partial of the sum, in fp32. */
static void make_part(const struct form_data *data, int rank, float *part)
{
    const struct form_case *c = &data->shape;
    if (!has_matmul(c)) {
        for (int64_t i = 0; i < c->rows * c->n; i++)
            part[i] = halffloat_load(c->dtype, data->x1[rank], (size_t)i);
        return;
    }
    exact_partial(c->dtype, exact_chain(c->dtype), c->rows, c->k, c->n, data->x1[rank], data->x2[rank], false,
                  c->bias ? data->bias[rank] : NULL, part);
    if (c->x3)
        forms_add_x3(c->dtype, c->numerics, c->rows * c->n, c->x3, data->x3[rank], part);
}

void form_data_make(struct form_data *data, const struct form_case *shape, int world_size, uint64_t key)
{
    *data = (struct form_data){.shape = *shape, .world_size = world_size};
    const struct form_case *c = &data->shape;
    const int64_t count = c->rows * c->n;
    float *parts[MMARN_MAX_RANKS] = {NULL};
    for (int r = 0; r < world_size; r++) {
        data->x1[r] = random_array(key, r, STREAM_X1, c->dtype, has_matmul(c) ? c->rows * c->k : count);
        data->x2[r] = random_array(key, r, STREAM_X2, c->dtype, c->k * c->n);
        data->bias[r] = random_array(key, r, STREAM_BIAS, c->dtype, c->n);
        data->x3[r] = random_array(key, r, STREAM_X3, c->x3 ? c->x3 : MMARN_F32, count);
        data->residual[r] = random_array(key, r, STREAM_RESIDUAL, c->residual ? c->residual : MMARN_F32, count);
        data->gamma[r] = random_array(key, r, STREAM_GAMMA, c->gamma_dtype, c->n);
        parts[r] = malloc((size_t)count * sizeof(float));
        make_part(data, r, parts[r]);
    }
    data->mm = malloc((size_t)count * sizeof(float));
    exact_reduce(c->dtype, c->numerics, world_size, count, (const float *const *)parts, data->mm);
    for (int r = 0; r < world_size; r++)
        free(parts[r]);
}

void form_data_free(struct form_data *data)
{
    for (int r = 0; r < data->world_size; r++) {
        void *all[] = {data->x1[r], data->x2[r], data->bias[r], data->x3[r], data->residual[r], data->gamma[r]};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            free(all[i]);
    }
    free(data->mm);
}

/* ------------------------------------------------------------------------------------------------------ outputs */

enum { Y, NORM_OUT, MM_OUT, RSTD, NORM_SCALE, OUTPUTS };
static const char *const output_names[] = {"y", "norm_out", "mm_out", "rstd", "norm_scale"};

struct outputs {
    void *data[OUTPUTS]; /* NULL: not wanted */
    size_t bytes[OUTPUTS];
};

static void make_outputs(const struct form_case *c, int64_t rows, struct outputs *outputs)
{
    const int32_t dtypes[OUTPUTS] = {c->y, c->norm, c->mm_out ? c->dtype : 0, c->rstd ? MMARN_F32 : 0,
                                     c->norm == MMARN_I8 ? MMARN_F32 : 0};
    for (int i = 0; i < OUTPUTS; i++) {
        const size_t count = (size_t)(i < RSTD ? rows * c->n : rows);
        outputs->bytes[i] = count * (dtypes[i] == MMARN_I8 ? 1 : halffloat_size(dtypes[i] ? dtypes[i] : MMARN_F32));
        outputs->data[i] = dtypes[i] ? malloc(outputs->bytes[i] + BEHIND) : NULL;
        if (outputs->data[i])
            memset(outputs->data[i], POISON, outputs->bytes[i] + BEHIND);
    }
}

static void free_outputs(struct outputs *outputs)
{
    for (int i = 0; i < OUTPUTS; i++)
        free(outputs->data[i]);
}

static void *slice(void *matrix, int32_t dtype, int64_t first, int64_t n)
{
    return (char *)matrix + (size_t)(first * n) * halffloat_size(dtype);
}

/* norm_out in the output dtype, in the form that is wanted, and the outputs that go with it. */
static void expect_norm(const struct form_data *data, int rank, int64_t rows, int32_t normed_dtype, const void *normed,
                        void *norm_out, struct outputs *expected)
{
    const struct form_case *c = &data->shape;
    float *plus_one = malloc((size_t)c->n * sizeof(float));
    forms_plus_one(c->gamma_dtype, c->n, data->gamma[rank], plus_one);
    const struct exact_norm_dtypes dtypes = {normed_dtype, c->plus_one ? MMARN_F32 : c->gamma_dtype, c->dtype};
    exact_norm(dtypes, c->numerics, rows, c->n, normed, c->plus_one ? plus_one : data->gamma[rank], EPSILON, norm_out);
    if (c->norm == c->dtype)
        memcpy(expected->data[NORM_OUT], norm_out, expected->bytes[NORM_OUT]);
    else if (c->norm)
        forms_quantise(c->dtype, rows, c->n, norm_out, expected->data[NORM_OUT], expected->data[NORM_SCALE]);
    if (c->rstd)
        forms_rstd(normed_dtype, c->numerics, rows, c->n, normed, EPSILON, expected->data[RSTD]);
    free(plus_one);
}

/* y from fp32 values of the output dtype, or of no dtype in the mode that keeps sums. */
static void expect_y(const struct form_data *data, int rank, int64_t first, int64_t rows, const float *values,
                     int32_t y_dtype, void *y)
{
    const struct form_case *c = &data->shape;
    if (c->residual)
        exact_add(y_dtype, rows * c->n, values, slice(data->residual[rank], y_dtype, first, c->n), y);
    else
        forms_store(y_dtype, rows * c->n, values, y);
}

static void expect(const struct form_data *data, int rank, int64_t first, int64_t rows, struct outputs *expected)
{
    const struct form_case *c = &data->shape;
    const int64_t count = rows * c->n;
    const int32_t y_dtype = c->residual ? c->residual : c->y ? c->y : c->dtype;
    float *mm = malloc((size_t)count * sizeof(float) + 1);
    void *y = malloc((size_t)count * sizeof(float) + 1), *norm_out = malloc((size_t)count * sizeof(float) + 1);
    for (int64_t i = 0; i < count; i++)
        mm[i] =
            c->call == FORM_ADD_NORM ? halffloat_load(c->dtype, data->x1[rank], (size_t)i) : data->mm[first * c->n + i];
    if (c->mm_out)
        forms_store(c->dtype, count, mm, expected->data[MM_OUT]);
    if (c->norm_first && c->gamma) {
        void *rounded = malloc((size_t)count * sizeof(float) + 1);
        forms_store(c->dtype, count, mm, rounded);
        expect_norm(data, rank, rows, c->dtype, rounded, norm_out, expected);
        for (int64_t i = 0; i < count; i++)
            mm[i] = halffloat_load(c->dtype, norm_out, (size_t)i);
        free(rounded);
        expect_y(data, rank, first, rows, mm, y_dtype, y);
    } else {
        expect_y(data, rank, first, rows, mm, y_dtype, y);
        if (c->gamma)
            expect_norm(data, rank, rows, y_dtype, y, norm_out, expected);
    }
    if (c->y)
        memcpy(expected->data[Y], y, expected->bytes[Y]);
    free(mm);
    free(y);
    free(norm_out);
}

/* ------------------------------------------------------------------------------------------------ one rank's run */

struct tensors {
    mmarn_tensor x1, x2, bias, gamma, x3, residual, y, norm_out, mm_out, rstd, norm_scale;
};

static mmarn_tensor matrix(void *data, int32_t dtype, int64_t rows, int64_t n)
{
    return mmarn_tensor_make(data, dtype, 2, (int64_t[]){rows, n});
}

static mmarn_status call_form(mmarn_comm *comm, const struct form_case *c, const mmarn_op_config *config,
                              const mmarn_step *step)
{
    mmarn_op *op = NULL;
    if (c->call == FORM_ONCE)
        return mmarn_mm_all_reduce_add_rms_norm(comm, config, step);
    if (c->call == FORM_MM_ALL_REDUCE)
        return mmarn_mm_all_reduce(comm, config, step);
    if (c->call == FORM_ALL_REDUCE_NORM)
        return mmarn_all_reduce_add_rms_norm(comm, config, step);
    if (c->call == FORM_ADD_NORM)
        return mmarn_add_rms_norm(c->k % 2 ? comm : NULL, config, step);
    mmarn_status status = mmarn_op_create(comm, config, &op);
    if (status == MMARN_OK)
        status = mmarn_op_run(op, step);
    mmarn_op_destroy(op);
    return status;
}

static mmarn_status run(mmarn_comm *comm, const struct form_data *data, int rank, int64_t rows, void *residual,
                        const struct outputs *got)
{
    const struct form_case *c = &data->shape;
    const int64_t n = c->n;
    const bool matmul = has_matmul(c);
    const struct tensors t = {
        .x1 = matrix(data->x1[rank], c->dtype, c->rows, matmul ? c->k : n),
        .x2 = matrix(data->x2[rank], c->dtype, c->k, n),
        .bias = mmarn_tensor_make(data->bias[rank], c->dtype, 1, &n),
        .gamma = mmarn_tensor_make(data->gamma[rank], c->gamma_dtype, 1, &n),
        .x3 = matrix(data->x3[rank], c->x3, c->rows, n),
        .residual = matrix(residual, c->residual, rows, n),
        .y = matrix(c->in_place ? residual : got->data[Y], c->y, rows, n),
        .norm_out = matrix(got->data[NORM_OUT], c->norm, rows, n),
        .mm_out = matrix(got->data[MM_OUT], c->dtype, rows, n),
        .rstd = mmarn_tensor_make(got->data[RSTD], MMARN_F32, 1, &rows),
        .norm_scale = mmarn_tensor_make(got->data[NORM_SCALE], MMARN_F32, 1, &rows),
    };
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    config.x2 = matmul ? &t.x2 : NULL;
    config.bias = c->bias ? &t.bias : NULL;
    config.gamma = c->gamma ? &t.gamma : NULL;
    config.epsilon = EPSILON;
    config.numerics = c->numerics;
    config.flags = (c->plus_one ? MMARN_GAMMA_PLUS_ONE : 0) | (c->norm_first ? MMARN_NORM_FIRST : 0) |
                   (c->shard ? MMARN_SHARD_ROWS : 0);
    mmarn_step step = *STEP(&t.x1, c->residual ? &t.residual : NULL, c->y ? &t.y : NULL, c->norm ? &t.norm_out : NULL);
    step.x3 = c->x3 ? &t.x3 : NULL;
    step.mm_out = c->mm_out ? &t.mm_out : NULL;
    step.rstd = c->rstd ? &t.rstd : NULL;
    step.norm_scale = c->norm == MMARN_I8 ? &t.norm_scale : NULL;
    return call_form(comm, c, &config, &step);
}

static bool compare(const struct form_case *c, const struct outputs *got, const struct outputs *expected)
{
    char text[256];
    form_case_text(c, text, sizeof text);
    for (int i = 0; i < OUTPUTS; i++) {
        const unsigned char *a = got->data[i], *b = expected->data[i];
        for (size_t at = 0; b && at < expected->bytes[i]; at++)
            EXPECT(a[at] == b[at], "%s: byte %zu of %s is %02x instead of %02x", text, at, output_names[i], a[at],
                   b[at]);
        for (size_t at = expected->bytes[i]; b && at < expected->bytes[i] + BEHIND; at++)
            EXPECT(a[at] == POISON, "%s: something lies behind %s", text, output_names[i]);
    }
    return true;
}

bool form_case_run(struct group_rank *rank, mmarn_comm *comm, const struct form_data *data)
{
    const struct form_case *c = &data->shape;
    int64_t first = 0, rows = c->rows;
    if (c->shard)
        forms_shard(c->rows, rank->rank, rank->world_size, &first, &rows);
    struct outputs got, expected;
    make_outputs(c, rows, &got);
    make_outputs(c, rows, &expected);
    expect(data, rank->rank, first, rows, &expected);
    const int32_t stream = c->residual ? c->residual : MMARN_F32;
    const size_t bytes = (size_t)(rows * c->n) * halffloat_size(stream);
    void *residual = malloc(bytes + 1);
    memcpy(residual, slice(data->residual[rank->rank], stream, first, c->n), bytes);
    const mmarn_status status = run(comm, data, rank->rank, rows, residual, &got);
    if (c->in_place)
        memcpy(got.data[Y], residual, bytes);
    char text[256];
    form_case_text(c, text, sizeof text);
    const bool ok = status == MMARN_OK
                        ? compare(c, &got, &expected)
                        : expect_fail("%s: %s (%s)", text, mmarn_status_string(status), mmarn_last_error());
    free_outputs(&got);
    free_outputs(&expected);
    free(residual);
    return ok;
}
