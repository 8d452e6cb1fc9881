/* SPDX-License-Identifier: MIT */
/*
 * norm.c - compares the norm kernels with a model written from norm.h: every length up to two rounds of lanes and some
 * long ones, y in its own memory and in residual's, norm_out in its own and in y's, all combinations of types, both
 * ways of rounding, rows that overflow; rows in int8.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "checkasm.h"
#include "norm/norm.h"

enum { LONGEST = 70 };
enum { SLOT_A, SLOT_B, SLOT_OUT, SLOT_C };

static bool same_arrays(int32_t dtype, const void *a, const void *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!data_same(dtype, a, i, b, i))
            return false;
    return true;
}

static int32_t wide_or(bool wide, int32_t dtype)
{
    return wide ? MMARN_F32 : dtype;
}

/* The arrays of a call of add or add_sum: residual, and y, which may be the same. */
struct target {
    int32_t dtype; /* of both */
    size_t count;
    bool in_place;
    void *residual, *y, *expected;
};

static struct target place_target(int32_t dtype, size_t count, bool at_end, enum data kind)
{
    struct target t = {.dtype = dtype, .count = count, .in_place = random_bits() & 1};
    t.residual = guard_place(SLOT_B, count * dtype_size(dtype), at_end);
    t.y = t.in_place ? t.residual : guard_place(SLOT_OUT, count * dtype_size(dtype), at_end);
    t.expected = malloc(count * dtype_size(dtype));
    data_fill(kind, dtype, t.residual, count);
    return t;
}

static void expect(const struct target *t, size_t i, float mm)
{
    data_set(t->dtype, t->expected, i, mm + data_get(t->dtype, t->residual, i));
}

static bool target_right(struct target *t)
{
    const bool right =
        same_arrays(t->dtype, t->expected, t->y, t->count) && guard_intact(t->in_place ? SLOT_B : SLOT_OUT);
    free(t->expected);
    return right;
}

static void test_add(const struct norm_kernel *kernel, int32_t dtype, bool wide, size_t count, enum data kind)
{
    const bool at_end = random_bits() & 1;
    void *mm = guard_place(SLOT_A, count * dtype_size(dtype), at_end);
    data_fill(kind, dtype, mm, count);
    struct target t = place_target(wide_or(wide, dtype), count, at_end, kind);
    for (size_t i = 0; i < count; i++)
        expect(&t, i, data_get(dtype, mm, i));
    check_next("norm %s: add %s, wide %d, %zu elements, data %d, in place %d", kernel->name, dtype_name(dtype), wide,
               count, (int)kind, t.in_place);
    kernel->add[dtype][wide](mm, t.residual, t.y, count);
    check_this(target_right(&t));
}

/* fp32 values at or near numbers of the narrow type, so that the sum's rounding and overflow matter. */
static float *place_mm(int slot, int32_t dtype, size_t count, bool at_end, enum data kind)
{
    float *mm = guard_place(slot, count * sizeof *mm, at_end);
    void *values = malloc(count * dtype_size(dtype));
    data_fill(kind, dtype, values, count);
    for (size_t i = 0; i < count; i++)
        mm[i] = data_get(dtype, values, i) * (1 + 0x1p-12F * (float)random_int(0, 1));
    free(values);
    return mm;
}

static void test_add_sum(const struct norm_kernel *kernel, int32_t dtype, bool wide, bool two, bool round_mm,
                         size_t count, enum data kind)
{
    const bool at_end = random_bits() & 1;
    const float *left = place_mm(SLOT_A, dtype, count, at_end, kind);
    const float *right = two ? place_mm(SLOT_C, dtype, count, at_end, kind) : NULL;
    struct target t = place_target(wide_or(wide, dtype), count, at_end, kind);
    uint32_t narrow;
    for (size_t i = 0; i < count; i++) {
        float mm = right ? left[i] + right[i] : left[i];
        if (round_mm) {
            data_set(dtype, &narrow, 0, mm);
            mm = data_get(dtype, &narrow, 0);
        }
        expect(&t, i, mm);
    }
    check_next("norm %s: add_sum %s, wide %d, %zu elements, two %d, round_mm %d, data %d, in place %d", kernel->name,
               dtype_name(dtype), wide, count, two, round_mm, (int)kind, t.in_place);
    kernel->add_sum[dtype][wide](left, right, round_mm, t.residual, t.y, count);
    check_this(target_right(&t));
}

static float model_mean(int32_t dtype, const void *y, size_t n, float epsilon, float down)
{
    float lanes[32] = {0};
    for (size_t i = 0; i < n; i++) {
        float value = data_get(dtype, y, i) * down;
        lanes[i % 32] = fmaf(value, value, lanes[i % 32]);
    }
    for (int half = 16; half; half /= 2)
        for (int l = 0; l < half; l++)
            lanes[l] = lanes[l] + lanes[l + half];
    float mean = lanes[0] / (float)n;
    return isinf(lanes[0]) && down == 1.0F ? INFINITY : mean + epsilon * down * down;
}

/* The model of one row, into expected; returns its rstd. */
static float model_row(int32_t dtype, const struct norm_row *r, void *expected)
{
    const int32_t y_dtype = wide_or(r->wide_y, dtype), gamma_dtype = wide_or(r->wide_gamma, dtype);
    float down = 1.0F, mean = model_mean(y_dtype, r->y, r->n, r->epsilon, down);
    uint32_t rounded;
    if (isinf(mean) && r->rescale) {
        down = 0x1p-80F;
        mean = model_mean(y_dtype, r->y, r->n, r->epsilon, down);
    }
    float rstd = 1.0F / sqrtf(mean);
    for (size_t i = 0; i < r->n; i++) {
        float value = data_get(y_dtype, r->y, i) * down;
        value = value * rstd;
        if (r->round_twice) {
            data_set(y_dtype, &rounded, 0, value);
            value = data_get(y_dtype, &rounded, 0);
        }
        data_set(dtype, expected, i, value * data_get(gamma_dtype, r->gamma, i));
    }
    return rstd * down;
}

/* Wide numbers in the range of a narrow type do not overflow, so some rows are scaled up until their squares do. */
static void enlarge(int32_t dtype, void *y, size_t n)
{
    for (size_t i = 0; i < n && dtype != MMARN_F16; i++)
        data_set(dtype, y, i, ldexpf(data_get(dtype, y, i), random_int(50, 90)));
}

static void test_row(const struct norm_kernel *kernel, int32_t dtype, unsigned options, size_t n, enum data kind)
{
    const bool at_end = random_bits() & 1;
    struct norm_row row = {
        .n = n,
        .epsilon = random_bits() & 1 ? 1e-6F : 0.5F,
        .round_twice = options & 1,
        .wide_y = options & 2,
        .wide_gamma = options & 4,
        .rescale = random_int(0, 3),
    };
    const int32_t y_dtype = wide_or(row.wide_y, dtype), gamma_dtype = wide_or(row.wide_gamma, dtype);
    void *y = guard_place(SLOT_A, n * dtype_size(y_dtype), at_end);
    void *gamma = guard_place(SLOT_B, n * dtype_size(gamma_dtype), at_end);
    void *expected = malloc(n * dtype_size(dtype));
    const bool in_place = y_dtype == dtype && random_int(0, 3) == 0;
    row.norm_out = in_place ? y : guard_place(SLOT_OUT, n * dtype_size(dtype), at_end);
    float rstd = -1;
    row.rstd = random_bits() & 1 ? &rstd : NULL;
    row.y = y;
    row.gamma = gamma;
    data_fill(kind, y_dtype, y, n);
    data_fill(kind, gamma_dtype, gamma, n);
    if (random_int(0, 3) == 0)
        enlarge(y_dtype, y, n);
    const float model_rstd = model_row(dtype, &row, expected), expected_rstd = row.rstd ? model_rstd : -1;
    check_next("norm %s: row %s, n = %zu, data %d, options %u, rescale %d, in place %d, rstd %d", kernel->name,
               dtype_name(dtype), n, (int)kind, options, row.rescale, in_place, row.rstd != NULL);
    kernel->row[dtype](&row);
    check_this(same_arrays(dtype, expected, row.norm_out, n) && guard_intact(in_place ? SLOT_A : SLOT_OUT) &&
               data_same(MMARN_F32, &rstd, 0, &expected_rstd, 0));
    free(expected);
}

/* The model of a row in int8, into expected; returns its scale. */
static float model_quantise(int32_t dtype, const void *row, size_t n, signed char *expected)
{
    float largest = 0;
    for (size_t i = 0; i < n; i++) {
        const float size = fabsf(data_get(dtype, row, i));
        largest = isnan(size) || isnan(largest) ? NAN : size > largest ? size : largest;
    }
    const float up = largest < 0x1p-100F ? 0x1p100F : 1.0F;
    for (size_t i = 0; i < n; i++) {
        expected[i] = 0;
        if (largest > 0 && !isinf(largest))
            expected[i] = (signed char)rintf(data_get(dtype, row, i) * up * (127 / (largest * up)));
    }
    return largest / 127;
}

static void test_quantise(const struct norm_kernel *kernel, int32_t dtype, size_t n, enum data kind)
{
    const bool at_end = random_bits() & 1;
    void *row = guard_place(SLOT_A, n * dtype_size(dtype), at_end);
    signed char *out = guard_place(SLOT_OUT, n, at_end), *expected = malloc(n);
    data_fill(kind, dtype, row, n);
    const int change = random_int(0, 7);
    for (size_t i = 0; i < n && change < 2; i++) /* to subnormal numbers, or all zero */
        data_set(dtype, row, i, change ? ldexpf(data_get(dtype, row, i), -random_int(100, 140)) : 0);
    const float expected_scale = model_quantise(dtype, row, n, expected);
    check_next("norm %s: quantise %s, n = %zu, data %d, change %d", kernel->name, dtype_name(dtype), n, (int)kind,
               change);
    const float scale = kernel->quantise[dtype](row, out, n);
    check_this(memcmp(expected, out, n) == 0 && data_same(MMARN_F32, &scale, 0, &expected_scale, 0) &&
               guard_intact(SLOT_OUT));
    free(expected);
}

static void test_length(const struct norm_kernel *kernel, size_t n)
{
    for (int32_t dtype = MMARN_F16; dtype <= MMARN_F32; dtype++)
        for (enum data kind = 0; kind < DATA_KINDS; kind++) {
            if (kernel->quantise[dtype])
                test_quantise(kernel, dtype, n, kind);
            for (unsigned wide = 0; wide < 2; wide++)
                if (kernel->add[dtype][wide])
                    test_add(kernel, dtype, wide, n, kind);
            for (unsigned options = 0; options < 8; options++) {
                if (kernel->add_sum[dtype][(options & 4) > 0])
                    test_add_sum(kernel, dtype, options & 4, options & 2, options & 1, n, kind);
                if (kernel->row[dtype])
                    test_row(kernel, dtype, options, n, kind);
            }
        }
}

void test_norm(void)
{
    static const size_t longer[] = {127, 1000, 4096, 5120, 8191};
    for (int i = 0; norm_kernels[i]; i++) {
        if (!check_kernel("norm", norm_kernels[i]->name, norm_kernels[i]->needs))
            continue;
        for (size_t n = 1; n <= LONGEST; n++)
            for (int repeat = 0; repeat < 2; repeat++)
                test_length(norm_kernels[i], n);
        for (size_t l = 0; l < sizeof longer / sizeof longer[0]; l++)
            test_length(norm_kernels[i], longer[l]);
    }
}
