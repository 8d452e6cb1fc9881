/* SPDX-License-Identifier: MIT */
/*
 * test_halffloat.c - tests reference/halffloat.h exhaustively: every encoding, and the values around every point where
 * rounding changes. It compares with the definition of round-to-nearest-even, and with the compiler's own _Float16 if
 * it has one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reference/halffloat.h"
#include "reference/random.h"
#include "support/seed.h"

struct format {
    uint16_t (*narrow)(double value);
    float (*widen)(uint16_t bits);
    int32_t dtype;
    uint16_t infinity;
    double beyond; /* the next value after the largest finite one */
};

static const struct format formats[] = {
    {halffloat_f16_from_double, halffloat_f16_to_float, MMARN_F16, 0x7c00, 0x1p16},
    {halffloat_bf16_from_double, halffloat_bf16_to_float, MMARN_BF16, 0x7f80, 0x1p128},
};
enum { FORMATS = sizeof(formats) / sizeof(formats[0]) };

static void assert_narrow(const struct format *format, double value, uint16_t expected)
{
    assert_int_equal(format->narrow(value), expected);
    assert_int_equal(format->narrow(-value), expected | 0x8000);
}

/* Between every two neighbours: below, at and above the middle. */
static void rounds_to_nearest_even(void **state)
{
    (void)state;
    for (int f = 0; f < FORMATS; f++) {
        const struct format *format = &formats[f];
        for (uint16_t bits = 0; bits < format->infinity; bits++) {
            const double low = format->widen(bits);
            const double high = bits + 1 == format->infinity ? format->beyond : format->widen((uint16_t)(bits + 1));
            const double middle = low + (high - low) / 2;
            assert_true(high > low);
            assert_narrow(format, low, bits);
            assert_narrow(format, nextafter(middle, low), bits);
            assert_narrow(format, middle, (uint16_t)(bits + (bits & 1)));
            assert_narrow(format, nextafter(middle, high), (uint16_t)(bits + 1));
            assert_true(halffloat_ulp(format->dtype, low) == high - low);
            assert_true(halffloat_ulp(format->dtype, -low) == high - low);
        }
    }
}

static void keeps_infinity_and_nan(void **state)
{
    (void)state;
    for (int f = 0; f < FORMATS; f++) {
        const struct format *format = &formats[f];
        assert_narrow(format, INFINITY, format->infinity);
        assert_narrow(format, 1e300, format->infinity);
        assert_narrow(format, 0x1p-1074, 0);
        assert_true(isinf(format->widen(format->infinity)));
        assert_true(isnan(format->widen(format->narrow((double)NAN))));
        for (uint32_t bits = format->infinity + 1u; bits < 0x8000; bits++) {
            assert_true(isnan(format->widen((uint16_t)bits)));
            assert_true(isnan(format->widen((uint16_t)(bits | 0x8000))));
        }
    }
}

/* One rounding, not two: a value that fp32 would first round to the middle. */
static void rounds_once(void **state)
{
    (void)state;
    assert_int_equal(halffloat_f16_from_double(1.0 + 0x1p-11 + 0x1p-40), 0x3c01);
    assert_int_equal(halffloat_f16_from_double((double)(float)(1.0 + 0x1p-11 + 0x1p-40)), 0x3c00);
    assert_int_equal(halffloat_bf16_from_double(1.0 + 0x1p-8 + 0x1p-40), 0x3f81);
}

#ifdef __FLT16_MAX__
__extension__ typedef _Float16 compiler_f16;

static uint16_t compiler_narrow(double value)
{
    const compiler_f16 half = (compiler_f16)value;
    uint16_t bits;
    memcpy(&bits, &half, sizeof(bits));
    return bits;
}

static void agrees_with_the_compiler(void **state)
{
    const uint64_t key = random_key(test_seed(), 0);
    (void)state;
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        const uint16_t half = (uint16_t)bits;
        compiler_f16 value;
        memcpy(&value, &half, sizeof(value));
        if (isnan((float)value))
            assert_true(isnan(halffloat_f16_to_float(half)));
        else
            assert_true((float)value == halffloat_f16_to_float(half));
    }
    for (uint64_t i = 0; i < 1000000; i++) {
        const uint64_t word = random_word(key, i);
        const double fraction = 1.0 + (double)(word >> 12) * 0x1p-52;
        const double value = ldexp(word & 1 ? -fraction : fraction, (int)(word >> 1 & 63) - 40);
        assert_int_equal(halffloat_f16_from_double(value), compiler_narrow(value));
    }
}
#else
static void agrees_with_the_compiler(void **state)
{
    (void)state;
    skip();
}
#endif

static void arrays_agree_with_elements(void **state)
{
    uint16_t *all = malloc(0x10000 * sizeof(*all));
    float *floats = malloc(0x10000 * sizeof(*floats));
    double *doubles = malloc(0x10000 * sizeof(*doubles));
    (void)state;
    for (uint32_t i = 0; i < 0x10000; i++)
        all[i] = (uint16_t)i;
    for (int f = 0; f < FORMATS; f++) {
        halffloat_to_float(formats[f].dtype, all, floats, 0x10000);
        halffloat_to_double(formats[f].dtype, all, doubles, 0x10000);
        for (uint32_t i = 0; i < 0x10000; i++) {
            const float one = formats[f].widen((uint16_t)i);
            assert_true(isnan(one) ? isnan(floats[i]) && isnan(doubles[i]) : floats[i] == one && doubles[i] == one);
            assert_true(isnan(one) || halffloat_load(formats[f].dtype, all, i) == one);
            assert_true(isnan(one) || halffloat_round(formats[f].dtype, one) == one);
        }
    }
    free(all);
    free(floats);
    free(doubles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_to_nearest_even),
        cmocka_unit_test(keeps_infinity_and_nan),
        cmocka_unit_test(rounds_once),
        cmocka_unit_test(agrees_with_the_compiler),
        cmocka_unit_test(arrays_agree_with_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
