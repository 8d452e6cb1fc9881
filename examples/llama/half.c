/* SPDX-License-Identifier: MIT */
/*
 * half.c - the conversions, on the bits of a number. An f16 has 10 bits of fraction and an exponent biased by 15, a
 * bfloat16 is the upper half of an fp32.
 */
#include "half.h"

#include <math.h>
#include <string.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* bits / 2^shift, to nearest, ties to even; shift is 1 .. 31. */
static uint32_t shift_to_nearest(uint32_t bits, int shift)
{
    const uint32_t half = UINT32_C(1) << (shift - 1), odd = bits >> shift & 1;
    return (bits + half - 1 + odd) >> shift;
}

uint16_t half_from_float(float value)
{
    const uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    const int exponent = (int)(magnitude >> 23) - 127;
    if (magnitude > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u);
    if (exponent > 15)
        return (uint16_t)(sign | 0x7c00u);
    if (exponent < -25)
        return (uint16_t)sign;
    if (exponent < -14) /* subnormal: units of 2^-24, and the leading one is no longer implied */
        return (uint16_t)(sign | shift_to_nearest((magnitude & 0x7fffffu) | 0x800000u, -1 - exponent));
    /* A carry out of the fraction moves on into the exponent, and from the largest to infinity, as it should. */
    return (uint16_t)(sign | shift_to_nearest(magnitude - (UINT32_C(112) << 23), 13));
}

float half_to_float(uint16_t half)
{
    const int exponent = half >> 10 & 0x1f, fraction = half & 0x3ff;
    float magnitude;
    if (exponent == 0x1f)
        magnitude = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        magnitude = ldexpf((float)fraction, -24);
    else
        magnitude = ldexpf((float)(fraction | 0x400), exponent - 25);
    return half & 0x8000 ? -magnitude : magnitude;
}

static uint16_t bfloat_from_float(float value)
{
    const uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40u);
    /* The sign takes no part in the sum: what carries stays below it. */
    return (uint16_t)((bits >> 16 & 0x8000u) | shift_to_nearest(bits & 0x7fffffffu, 16));
}

size_t float_size(mmarn_dtype dtype)
{
    return dtype == MMARN_F32 ? sizeof(float) : sizeof(uint16_t);
}

void float_narrow(mmarn_dtype dtype, const float *from, void *to, int64_t count)
{
    uint16_t *halves = to;
    if (dtype == MMARN_F32) {
        memcpy(to, from, (size_t)count * sizeof(float));
        return;
    }
    for (int64_t i = 0; i < count; i++)
        halves[i] = dtype == MMARN_F16 ? half_from_float(from[i]) : bfloat_from_float(from[i]);
}
