/* SPDX-License-Identifier: MIT */
/*
 * convert.c - tests the conversions, including payloads of NaN: widening all 65536 numbers of each type, narrowing
 * every boundary between two of them and random bits; then every length up to a few registers, at both edges.
 */
#include <stdlib.h>
#include <string.h>

#include "base/convert.h"
#include "base/cpu.h"
#include "checkasm.h"

enum { CODES = 65536, NEIGHBOURS = 5, RANDOM = 1 << 20, LONGEST = 70 };

static void test_widen_all(const struct convert_kernel *kernel, int32_t dtype)
{
    static uint16_t codes[CODES];
    static float wide[CODES];
    for (unsigned i = 0; i < CODES; i++)
        codes[i] = (uint16_t)i;
    kernel->to_f32[dtype](codes, wide, CODES);
    for (unsigned i = 0; i < CODES; i++) {
        float expected = data_get(dtype, codes, i);
        check(memcmp(&wide[i], &expected, sizeof expected) == 0, "convert %s: %s 0x%04x to fp32 gives %a, not %a",
              kernel->name, dtype_name(dtype), i, (double)wide[i], (double)expected);
    }
}

static void narrow_and_compare(const struct convert_kernel *kernel, int32_t dtype, const float *wide, size_t count)
{
    uint16_t *codes = malloc(count * sizeof *codes);
    memset(codes, GUARD_FILL, count * sizeof *codes);
    kernel->from_f32[dtype](wide, codes, count);
    for (size_t i = 0; i < count; i++) {
        uint16_t expected;
        data_set(dtype, &expected, 0, wide[i]);
        check(codes[i] == expected, "convert %s: %a to %s gives 0x%04x, not 0x%04x", kernel->name, (double)wide[i],
              dtype_name(dtype), codes[i], expected);
    }
    free(codes);
}

/* Every number of the type, every tie between two neighbours, and one fp32 step to either side of both. */
static void test_narrow_boundaries(const struct convert_kernel *kernel, int32_t dtype)
{
    float *wide = malloc((size_t)CODES * 2 * NEIGHBOURS * sizeof *wide);
    const uint32_t half = dtype == MMARN_F16 ? 1u << 12 : 1u << 15;
    size_t count = 0;
    for (unsigned code = 0; code < CODES; code++) {
        uint16_t bits16 = (uint16_t)code;
        float value = data_get(dtype, &bits16, 0);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        for (int tie = 0; tie < 2; tie++)
            for (int step = 0; step < NEIGHBOURS; step++, count++) {
                uint32_t near = bits + (uint32_t)tie * half + (uint32_t)(step - NEIGHBOURS / 2);
                memcpy(&wide[count], &near, sizeof near);
            }
    }
    narrow_and_compare(kernel, dtype, wide, count);
    free(wide);
}

/* Random bits reach every exponent; half of them are moved to the range of the type's denormals and of its overflow. */
static void test_narrow_random(const struct convert_kernel *kernel, int32_t dtype)
{
    float *wide = malloc(RANDOM * sizeof *wide);
    for (size_t i = 0; i < RANDOM; i++) {
        uint32_t bits = (uint32_t)random_bits();
        if (i % 2)
            bits = (bits & 0x807fffff) | (uint32_t)random_int(100, 145) << 23;
        /* Few bits set: ties are common. */
        if (i % 4 == 3)
            bits &= 0xfffff000;
        memcpy(&wide[i], &bits, sizeof bits);
    }
    narrow_and_compare(kernel, dtype, wide, RANDOM);
    free(wide);
}

static void test_lengths(const struct convert_kernel *kernel, int32_t dtype, size_t count, bool at_end)
{
    const size_t size = dtype_size(dtype);
    char *narrow = guard_place(0, count * size, at_end), *back = guard_place(1, count * size, at_end);
    float *wide = guard_place(2, count * sizeof *wide, at_end);
    data_fill(DATA_HOSTILE, dtype, narrow, count);
    kernel->to_f32[dtype](narrow, wide, count);
    kernel->from_f32[dtype](wide, back, count);
    bool same = true;
    for (size_t i = 0; i < count; i++) {
        float expected = data_get(dtype, narrow, i);
        same = same && memcmp(&wide[i], &expected, sizeof expected) == 0;
        same = same && data_same(dtype, narrow, i, back, i);
    }
    check(same && guard_intact(1) && guard_intact(2), "convert %s: %s, %zu elements", kernel->name, dtype_name(dtype),
          count);
}

void test_convert(void)
{
    for (int i = 0; convert_kernels[i]; i++) {
        const struct convert_kernel *kernel = convert_kernels[i];
        if (!check_kernel("convert", kernel->name, kernel->needs))
            continue;
        for (int32_t dtype = MMARN_F16; dtype <= MMARN_F32; dtype++) {
            if (!kernel->to_f32[dtype] || !kernel->from_f32[dtype])
                continue; /* the lines before it serve */
            for (size_t count = 0; count <= LONGEST; count++) {
                test_lengths(kernel, dtype, count, false);
                test_lengths(kernel, dtype, count, true);
            }
            if (dtype == MMARN_F32)
                continue;
            test_widen_all(kernel, dtype);
            test_narrow_boundaries(kernel, dtype);
            test_narrow_random(kernel, dtype);
        }
    }
}
