/*
 * norm.c - the norm kernels against a model written from norm.h: every length up to two rounds of lanes and some long
 * ones, y in its own memory and in residual's, both ways of rounding.
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

static void test_add(const struct norm_kernel *kernel, int32_t dtype, size_t count, enum data kind)
{
    const bool at_end = random_bits() & 1, in_place = random_bits() & 1;
    void *mm = guard_place(SLOT_A, count * dtype_size(dtype), at_end);
    void *residual = guard_place(SLOT_B, count * dtype_size(dtype), at_end);
    void *y = in_place ? residual : guard_place(SLOT_OUT, count * dtype_size(dtype), at_end);
    void *expected = malloc(count * dtype_size(dtype));
    data_fill(kind, dtype, mm, count);
    data_fill(kind, dtype, residual, count);
    for (size_t i = 0; i < count; i++)
        data_set(dtype, expected, i, data_get(dtype, mm, i) + data_get(dtype, residual, i));
    kernel->add[dtype](mm, residual, y, count);
    check(same_arrays(dtype, expected, y, count) && guard_intact(in_place ? SLOT_B : SLOT_OUT),
          "norm %s: add %s, %zu elements, data %d, in place %d", kernel->name, dtype_name(dtype), count, (int)kind,
          in_place);
    free(expected);
}

/* fp32 on or beside numbers of the narrow type, so that the sum's rounding and overflow matter. */
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

static void test_add_sum(const struct norm_kernel *kernel, int32_t dtype, bool two, bool round_mm, size_t count,
                         enum data kind)
{
    const bool at_end = random_bits() & 1, in_place = random_bits() & 1;
    const float *left = place_mm(SLOT_A, dtype, count, at_end, kind);
    const float *right = two ? place_mm(SLOT_C, dtype, count, at_end, kind) : NULL;
    void *residual = guard_place(SLOT_B, count * dtype_size(dtype), at_end);
    void *y = in_place ? residual : guard_place(SLOT_OUT, count * dtype_size(dtype), at_end);
    void *expected = malloc(count * dtype_size(dtype));
    data_fill(kind, dtype, residual, count);
    for (size_t i = 0; i < count; i++) {
        float mm = right ? left[i] + right[i] : left[i];
        if (round_mm) {
            data_set(dtype, expected, i, mm);
            mm = data_get(dtype, expected, i);
        }
        data_set(dtype, expected, i, mm + data_get(dtype, residual, i));
    }
    kernel->add_sum[dtype](left, right, round_mm, residual, y, count);
    check(same_arrays(dtype, expected, y, count) && guard_intact(in_place ? SLOT_B : SLOT_OUT),
          "norm %s: add_sum %s, %zu elements, two %d, round_mm %d, data %d, in place %d", kernel->name,
          dtype_name(dtype), count, two, round_mm, (int)kind, in_place);
    free(expected);
}

static float model_rstd(int32_t dtype, const void *y, size_t n, float epsilon)
{
    float lanes[32] = {0};
    for (size_t i = 0; i < n; i++)
        lanes[i % 32] = fmaf(data_get(dtype, y, i), data_get(dtype, y, i), lanes[i % 32]);
    for (int half = 16; half; half /= 2)
        for (int l = 0; l < half; l++)
            lanes[l] = lanes[l] + lanes[l + half];
    float mean = lanes[0] / (float)n;
    return 1.0F / sqrtf(mean + epsilon);
}

static void test_row(const struct norm_kernel *kernel, int32_t dtype, bool round_twice, size_t n, enum data kind)
{
    const bool at_end = random_bits() & 1;
    const size_t size = dtype_size(dtype);
    const float epsilon = random_bits() & 1 ? 1e-6F : 0.5F;
    void *y = guard_place(SLOT_A, n * size, at_end), *gamma = guard_place(SLOT_B, n * size, at_end);
    void *out = guard_place(SLOT_OUT, n * size, at_end), *expected = malloc(n * size);
    data_fill(kind, dtype, y, n);
    data_fill(kind, dtype, gamma, n);
    float rstd = model_rstd(dtype, y, n, epsilon);
    for (size_t i = 0; i < n; i++) {
        float value = data_get(dtype, y, i) * rstd;
        if (round_twice) {
            data_set(dtype, expected, i, value);
            value = data_get(dtype, expected, i);
        }
        data_set(dtype, expected, i, value * data_get(dtype, gamma, i));
    }
    kernel->row[dtype](y, gamma, out, n, epsilon, round_twice);
    check(same_arrays(dtype, expected, out, n) && guard_intact(SLOT_OUT),
          "norm %s: row %s, n = %zu, data %d, round_twice %d", kernel->name, dtype_name(dtype), n, (int)kind,
          round_twice);
    free(expected);
}

static void test_length(const struct norm_kernel *kernel, size_t n)
{
    for (int32_t dtype = MMARN_F16; dtype <= MMARN_F32; dtype++)
        for (int kind = 0; kind < DATA_KINDS; kind++)
            for (int option = 0; option < 2; option++) {
                test_add(kernel, dtype, n, kind);
                test_add_sum(kernel, dtype, false, option, n, kind);
                test_add_sum(kernel, dtype, true, option, n, kind);
                test_row(kernel, dtype, option, n, kind);
            }
}

void test_norm(void)
{
    static const size_t longer[] = {127, 1000, 4096, 5120, 8191};
    for (int i = 0; norm_kernels[i]; i++) {
        if (norm_kernels[i]->needs & ~cpu_features())
            continue;
        for (size_t n = 1; n <= LONGEST; n++)
            for (int repeat = 0; repeat < 4; repeat++)
                test_length(norm_kernels[i], n);
        for (size_t l = 0; l < sizeof longer / sizeof longer[0]; l++)
            test_length(norm_kernels[i], longer[l]);
    }
}
