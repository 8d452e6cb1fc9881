/* SPDX-License-Identifier: MIT */
/* inputs.c - see inputs.h. An element has one of 256 values, so a table converts it to its type. */
#include "inputs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/convert.h"
#include "base/dtype.h"

const char *const type_names[TYPES] = {"f32", "f16", "bf16", "int8", "f16-int8", "f16-int4"};

/* Numbers of the streams of random numbers; x1 and x2 have one for each rank. */
enum stream { STREAM_X1 = 64, STREAM_X2 = 128, STREAM_SCALE = 192, STREAM_RESIDUAL = 256, STREAM_GAMMA = 257 };

int32_t inputs_x1_type(enum type type)
{
    static const int32_t types[TYPES] = {MMARN_F32, MMARN_F16, MMARN_BF16, MMARN_I8, MMARN_F16, MMARN_F16};
    return types[type];
}

int32_t inputs_x2_type(enum type type)
{
    static const int32_t types[TYPES] = {MMARN_F32, MMARN_F16, MMARN_BF16, MMARN_I8, MMARN_I8, MMARN_I4};
    return types[type];
}

int32_t inputs_out_type(enum type type)
{
    return type == TYPE_INT8 ? MMARN_BF16 : inputs_x1_type(type);
}

int64_t inputs_bytes(int32_t dtype, int64_t elements)
{
    return elements * dtype_bits(dtype) / 8;
}

void inputs_to_f32(int32_t dtype, const void *from, float *to, int64_t count)
{
    convert_to_f32(dtype, from, to, (size_t)count);
}

void inputs_from_f32(int32_t dtype, const float *from, void *to, int64_t count)
{
    convert_from_f32(dtype, from, to, (size_t)count);
}

static uint32_t hash(uint32_t stream, uint32_t index)
{
    uint32_t x = index ^ (stream * 0x9e3779b9u);
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ (x >> 16);
}

/* -128 .. 127 */
static int level(uint32_t stream, int64_t index)
{
    return (int)(hash(stream, (uint32_t)index) & 255) - 128;
}

/* Element `index` of the stream becomes table[level + 128], which has 1, 2 or 4 bytes. */
static void fill(uint32_t stream, const void *table, int size, void *out, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const int place = level(stream, i) + 128;
        if (size == 4)
            ((uint32_t *)out)[i] = ((const uint32_t *)table)[place];
        else if (size == 2)
            ((uint16_t *)out)[i] = ((const uint16_t *)table)[place];
        else
            ((uint8_t *)out)[i] = ((const uint8_t *)table)[place];
    }
}

/* offset + (level >> shift) * unit, in a float type. */
static void fill_floats(uint32_t stream, int32_t dtype, int shift, float unit, float offset, void *out, int64_t count)
{
    float values[256];
    uint32_t table[256];
    for (int i = 0; i < 256; i++)
        values[i] = offset + (float)((i - 128) >> shift) * unit;
    convert_from_f32(dtype, values, table, 256);
    fill(stream, table, (int)inputs_bytes(dtype, 1), out, count);
}

static void fill_int8(uint32_t stream, void *out, int64_t count)
{
    int8_t table[256];
    for (int i = 0; i < 256; i++)
        table[i] = (int8_t)(i - 128);
    fill(stream, table, 1, out, count);
}

static void fill_int4(uint32_t stream, uint8_t *out, int64_t count)
{
    for (int64_t i = 0; i < count; i += 2)
        out[i / 2] = (uint8_t)((level(stream, i) >> 4 & 15) | (level(stream, i + 1) >> 4 & 15) << 4);
}

/* Transposes (k, n) elements of `size` bytes to (n, k), in squares that fit a cache. False when memory is short. */
static bool turn(void **matrix, int64_t k, int64_t n, int size)
{
    enum { SIDE = 64 };
    char *turned = malloc((size_t)(k * n * size));
    const char *plain = *matrix;

    if (turned == NULL)
        return false;
    for (int64_t p0 = 0; p0 < k; p0 += SIDE)
        for (int64_t j0 = 0; j0 < n; j0 += SIDE)
            for (int64_t j = j0; j < j0 + SIDE && j < n; j++)
                for (int64_t p = p0; p < p0 + SIDE && p < k; p++)
                    memcpy(turned + (j * k + p) * size, plain + (p * n + j) * size, (size_t)size);
    free(*matrix);
    *matrix = turned;
    return true;
}

/* 1, 1.25, 1.5 or 1.75 times the middle, by the two lowest bits of a level. */
static void fill_scales(uint32_t stream, int32_t dtype, float middle, void *out, int64_t count)
{
    float values[256];
    uint32_t table[256];
    for (int i = 0; i < 256; i++)
        values[i] = middle * (1.0f + 0.25f * (float)(i & 3));
    convert_from_f32(dtype, values, table, 256);
    fill(stream, table, (int)inputs_bytes(dtype, 1), out, count);
}

/* Half the number of bits of k * world - 1: a sum of this many terms grows by about two to that power. */
static int half_bits(int64_t terms)
{
    int bits = 0;
    for (int64_t rest = terms - 1; rest > 0; rest >>= 1)
        bits++;
    return bits / 2;
}

static void fill_all(const struct problem *problem, int rank, int world, struct inputs *inputs)
{
    const int64_t rows = problem->rows, k = problem->k, n = problem->n;
    const int32_t out = inputs_out_type(problem->type);
    const float weight = ldexpf(1.0f, -half_bits(k * world));
    const uint32_t x1 = STREAM_X1 + (uint32_t)rank, x2 = STREAM_X2 + (uint32_t)rank;

    if (problem->type == TYPE_INT8) {
        fill_int8(x1, inputs->x1, rows * k);
        fill_int8(x2, inputs->x2, k * n);
        fill_scales(STREAM_SCALE, MMARN_F32, weight / 4096, inputs->scale, n);
    } else {
        fill_floats(x1, inputs_x1_type(problem->type), 0, 1.0f / 64, 0.0f, inputs->x1, rows * k);
    }
    if (problem->type == TYPE_F16_INT8) {
        fill_int8(x2, inputs->x2, k * n);
        fill_scales(STREAM_SCALE, MMARN_F16, weight / 64, inputs->scale, n);
    } else if (problem->type == TYPE_F16_INT4) {
        fill_int4(x2, inputs->x2, k * n);
        fill_scales(STREAM_SCALE, MMARN_F16, weight / 4, inputs->scale, k / INPUTS_GROUP * n);
    } else if (problem->type != TYPE_INT8) {
        fill_floats(x2, inputs_x2_type(problem->type), 0, weight / 128, 0.0f, inputs->x2, k * n);
    }
    fill_floats(STREAM_RESIDUAL, out, 0, 1.0f / 64, 0.0f, inputs->residual, rows * n);
    fill_floats(STREAM_GAMMA, out, 4, 1.0f / 16, 1.0f, inputs->gamma, n);
    memset(inputs->y, 0xff, (size_t)inputs_bytes(out, rows * n)); /* all bits set is a NaN in every type */
    memset(inputs->norm_out, 0xff, (size_t)inputs_bytes(out, rows * n));
}

bool inputs_make(const struct problem *problem, int rank, int world, bool turned, struct inputs *inputs)
{
    const int64_t rows = problem->rows, k = problem->k, n = problem->n;
    const int32_t x2 = inputs_x2_type(problem->type), out = inputs_out_type(problem->type);

    inputs->x1 = malloc((size_t)inputs_bytes(inputs_x1_type(problem->type), rows * k));
    inputs->x2 = malloc((size_t)inputs_bytes(x2, k * n));
    inputs->residual = malloc((size_t)inputs_bytes(out, rows * n));
    inputs->gamma = malloc((size_t)inputs_bytes(out, n));
    inputs->scale = malloc((size_t)(4 * n * (k / INPUTS_GROUP + 1)));
    inputs->y = malloc((size_t)inputs_bytes(out, rows * n));
    inputs->norm_out = malloc((size_t)inputs_bytes(out, rows * n));
    if (!inputs->x1 || !inputs->x2 || !inputs->residual || !inputs->gamma || !inputs->scale || !inputs->y ||
        !inputs->norm_out)
        return false;
    fill_all(problem, rank, world, inputs);
    return !turned || turn(&inputs->x2, k, n, (int)inputs_bytes(x2, 1));
}

void inputs_free(struct inputs *inputs)
{
    free(inputs->x1);
    free(inputs->x2);
    free(inputs->residual);
    free(inputs->gamma);
    free(inputs->scale);
    free(inputs->y);
    free(inputs->norm_out);
    *inputs = (struct inputs){0};
}
