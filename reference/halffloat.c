/* SPDX-License-Identifier: MIT */
/*
 * halffloat.c - conversions by integer arithmetic on the encodings, one rule for both 16-bit formats.
 * A format is its number of exponent and fraction bits; everything else follows from IEEE 754.
 */
#include "reference/halffloat.h"

#include <string.h>

static uint64_t double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static double double_from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* significand / 2^shift, to nearest, ties to even; 1 <= shift <= 62. */
static uint64_t shift_right_even(uint64_t significand, int shift)
{
    uint64_t quotient = significand >> shift;
    uint64_t rest = significand & ((1ull << shift) - 1);
    uint64_t half = 1ull << (shift - 1);
    return quotient + (rest > half || (rest == half && (quotient & 1)));
}

static uint16_t narrow(double value, int exponent_bits, int fraction_bits)
{
    const uint64_t bits = double_bits(value);
    const uint32_t sign = (uint32_t)(bits >> 63) << 15;
    const int field = (int)(bits >> 52 & 0x7ff);
    const uint64_t fraction = bits & ((1ull << 52) - 1);
    const uint32_t infinity = ((1u << exponent_bits) - 1) << fraction_bits;
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const int exponent = field - 1023;
    const int smallest = 1 - bias;
    int shift = 52 - fraction_bits;
    uint64_t result;

    if (field == 0x7ff && fraction != 0)
        return (uint16_t)(sign | infinity | 1u << (fraction_bits - 1) | (uint32_t)(fraction >> shift));
    if (exponent > bias)
        return (uint16_t)(sign | infinity);
    if (exponent < smallest)
        shift += smallest - exponent;
    if (field == 0 || shift > 62)
        return (uint16_t)sign;
    /* The significand's leading one adds 1 to the exponent field, and so does a carry out of the rounding. */
    result = shift_right_even(1ull << 52 | fraction, shift);
    if (exponent > smallest)
        result += (uint64_t)(exponent - smallest) << fraction_bits;
    return (uint16_t)(sign | (result < infinity ? (uint32_t)result : infinity));
}

uint16_t halffloat_f16_from_double(double value)
{
    return narrow(value, 5, 10);
}

uint16_t halffloat_bf16_from_double(double value)
{
    return narrow(value, 8, 7);
}

/*
 * The 15 bits below the sign, put where fp32 has its exponent and fraction, are the value times 2^-112; subnormals
 * too. Infinity and NaN come out at 2^16 and above, and get fp32's own exponent field.
 */
float halffloat_f16_to_float(uint16_t bits)
{
    float magnitude = float_from_bits((uint32_t)(bits & 0x7fff) << 13) * 0x1p112f;
    uint32_t out;
    memcpy(&out, &magnitude, sizeof(out));
    out |= magnitude >= 65536.0f ? 0x7f800000u : 0u;
    return float_from_bits(out | (uint32_t)(bits & 0x8000) << 16);
}

float halffloat_bf16_to_float(uint16_t bits)
{
    return float_from_bits((uint32_t)bits << 16);
}

size_t halffloat_size(int32_t dtype)
{
    return dtype == MMARN_F32 ? 4 : 2;
}

float halffloat_load(int32_t dtype, const void *array, size_t index)
{
    if (dtype == MMARN_F16)
        return halffloat_f16_to_float(((const uint16_t *)array)[index]);
    if (dtype == MMARN_BF16)
        return halffloat_bf16_to_float(((const uint16_t *)array)[index]);
    return ((const float *)array)[index];
}

void halffloat_store(int32_t dtype, void *array, size_t index, double value)
{
    if (dtype == MMARN_F16)
        ((uint16_t *)array)[index] = halffloat_f16_from_double(value);
    else if (dtype == MMARN_BF16)
        ((uint16_t *)array)[index] = halffloat_bf16_from_double(value);
    else
        ((float *)array)[index] = (float)value;
}

float halffloat_round(int32_t dtype, double value)
{
    if (dtype == MMARN_F16)
        return halffloat_f16_to_float(halffloat_f16_from_double(value));
    if (dtype == MMARN_BF16)
        return halffloat_bf16_to_float(halffloat_bf16_from_double(value));
    return (float)value;
}

double halffloat_ulp(int32_t dtype, double value)
{
    const int fraction_bits = dtype == MMARN_F16 ? 10 : dtype == MMARN_BF16 ? 7 : 23;
    const int smallest = dtype == MMARN_F16 ? -14 : -126;
    int exponent = (int)(double_bits(value) >> 52 & 0x7ff) - 1023;

    if (exponent < smallest)
        exponent = smallest;
    return double_from_bits((uint64_t)(exponent - fraction_bits + 1023) << 52);
}

void halffloat_to_float(int32_t dtype, const void *array, float *out, size_t count)
{
    const uint16_t *halves = array;

    if (dtype == MMARN_F16)
        for (size_t i = 0; i < count; i++)
            out[i] = halffloat_f16_to_float(halves[i]);
    else if (dtype == MMARN_BF16)
        for (size_t i = 0; i < count; i++)
            out[i] = halffloat_bf16_to_float(halves[i]);
    else
        for (size_t i = 0; i < count; i++)
            out[i] = ((const float *)array)[i];
}

void halffloat_to_double(int32_t dtype, const void *array, double *out, size_t count)
{
    const uint16_t *halves = array;

    if (dtype == MMARN_F16)
        for (size_t i = 0; i < count; i++)
            out[i] = halffloat_f16_to_float(halves[i]);
    else if (dtype == MMARN_BF16)
        for (size_t i = 0; i < count; i++)
            out[i] = halffloat_bf16_to_float(halves[i]);
    else
        for (size_t i = 0; i < count; i++)
            out[i] = ((const float *)array)[i];
}
