/* SPDX-License-Identifier: MIT */
/*
 * data.c - random and hostile numbers, and a second definition of the 16-bit types: it uses ldexp and rint in double
 * precision, while convert_ref.c works on bits, so that one can be wrong without the other.
 */
#include "checkasm.h"

#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "support/inputs.h"
#include "support/seed.h"

struct format {
    int digits, lowest, highest; /* fraction bits, and the exponents of the smallest and largest normal numbers */
};
static const struct format formats[DTYPE_COUNT] = {
    [MMARN_F16] = {10, -14, 15}, [MMARN_BF16] = {7, -126, 127}, [MMARN_F32] = {23, -126, 127}};

static uint64_t state;

void random_seed(uint64_t seed)
{
    state = seed;
}

uint64_t random_bits(void)
{
    return test_random(&state);
}

int random_int(int low, int high)
{
    return (int)inputs_between(&state, low, high);
}

static float of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float decode(int32_t dtype, uint16_t code)
{
    const struct format *f = &formats[dtype];
    int fraction = code & ((1 << f->digits) - 1), exponent = (code & 0x7fff) >> f->digits;
    uint32_t sign = (uint32_t)(code & 0x8000) << 16;
    double value;
    if (exponent > f->highest - f->lowest + 1) {
        /* A NaN's payload moves up. Widening from f16 sets the quiet bit; from bf16 it changes nothing. */
        uint32_t quiet = fraction && dtype == MMARN_F16 ? 0x400000 : 0;
        return of_bits(sign | 0x7f800000 | quiet | (uint32_t)fraction << (23 - f->digits));
    }
    if (exponent == 0)
        value = ldexp(fraction, f->lowest - f->digits);
    else
        value = ldexp(1 + ldexp(fraction, -f->digits), f->lowest + exponent - 1);
    return of_bits(sign | to_bits((float)value));
}

static uint16_t encode(int32_t dtype, float value)
{
    const struct format *f = &formats[dtype];
    uint32_t bits = to_bits(value);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint16_t infinity = (uint16_t)((f->highest - f->lowest + 2) << f->digits);
    if (isnan(value))
        return (uint16_t)(sign | infinity | 1 << (f->digits - 1) | (bits & 0x7fffff) >> (23 - f->digits));
    double x = fabs((double)value);
    if (isinf(value))
        return sign | infinity;
    int exponent = x > 0 && ilogb(x) > f->lowest ? ilogb(x) : f->lowest;
    x = ldexp(rint(ldexp(x, f->digits - exponent)), exponent - f->digits);
    if (x >= ldexp(1, f->highest + 1))
        return sign | infinity;
    if (x < ldexp(1, f->lowest))
        return (uint16_t)(sign | (int)ldexp(x, f->digits - f->lowest));
    exponent = ilogb(x);
    int fraction = (int)ldexp(x, f->digits - exponent) - (1 << f->digits);
    return (uint16_t)(sign | (exponent - f->lowest + 1) << f->digits | fraction);
}

float data_get(int32_t dtype, const void *src, size_t at)
{
    static float decoded[DTYPE_COUNT][65536];
    static bool ready[DTYPE_COUNT];
    if (dtype == MMARN_F32)
        return ((const float *)src)[at];
    for (unsigned code = 0; code < 65536 && !ready[dtype]; code++)
        decoded[dtype][code] = decode(dtype, (uint16_t)code);
    ready[dtype] = true;
    return decoded[dtype][((const uint16_t *)src)[at]];
}

void data_set(int32_t dtype, void *dst, size_t at, float value)
{
    if (dtype == MMARN_F32)
        ((float *)dst)[at] = value;
    else
        ((uint16_t *)dst)[at] = encode(dtype, value);
}

bool data_same(int32_t dtype, const void *a, size_t at_a, const void *b, size_t at_b)
{
    const size_t size = dtype_size(dtype);
    if (memcmp((const char *)a + at_a * size, (const char *)b + at_b * size, size) == 0)
        return true;
    return isnan(data_get(dtype, a, at_a)) && isnan(data_get(dtype, b, at_b));
}

static float ordinary(void)
{
    return (float)random_int(-(1 << 20), 1 << 20) * 0x1p-19F;
}

static float extreme(int32_t dtype)
{
    const struct format *f = &formats[dtype];
    float sign = random_bits() & 1 ? -1.0F : 1.0F;
    switch (random_int(0, 9)) {
    case 0:
        return sign * 0.0F;
    case 1: /* the smallest denormal */
        return sign * ldexpf(1, f->lowest - f->digits);
    case 2: /* a denormal */
        return sign * ldexpf((float)random_int(1, (1 << f->digits) - 1), f->lowest - f->digits);
    case 3: /* the smallest normal number */
        return sign * ldexpf(1, f->lowest);
    case 4: /* the largest */
        return sign * (float)ldexp(2 - ldexp(1, -f->digits), f->highest);
    default:
        return ordinary();
    }
}

static float hostile(int32_t dtype)
{
    switch (random_int(0, 60)) {
    case 0:
        return INFINITY;
    case 1:
        return -INFINITY;
    case 2: /* a NaN with any sign and payload, including signalling ones */
        return of_bits(0x7f800000 | (uint32_t)random_bits() | 0x2000);
    default:
        return extreme(dtype);
    }
}

void data_fill(enum data kind, int32_t dtype, void *dst, size_t count)
{
    for (size_t i = 0; i < count; i++)
        data_set(dtype, dst, i,
                 kind == DATA_ORDINARY  ? ordinary()
                 : kind == DATA_EXTREME ? extreme(dtype)
                                        : hostile(dtype));
}
