/* SPDX-License-Identifier: MIT */
/*
 * convert_ref.c - the definition of the conversions: plain C on the bits of IEEE 754 numbers, on every processor.
 * binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. bfloat16: the upper half of binary32. binary32: 1, 8
 * (bias 127), 23.
 */
#include <string.h>

#include "base/convert.h"

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* bits / 2^shift, rounded to nearest, ties to even. 1 <= shift <= 31. */
static uint32_t shift_round(uint32_t bits, unsigned shift)
{
    uint32_t half = UINT32_C(1) << (shift - 1);
    uint32_t odd = bits >> shift & 1;
    return (bits + half - 1 + odd) >> shift;
}

static float f16_to_f32(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 31;
    uint32_t fraction = half & 0x3ff;
    if (exponent == 31)
        return float_of(sign | 0x7f800000 | (fraction ? 0x00400000 : 0) | fraction << 13);
    if (exponent > 0)
        return float_of(sign | (exponent + 112) << 23 | fraction << 13);
    /* Zero or denormal: fraction * 2^-24, a normal number in fp32, so the product is exact and needs only its sign. */
    return float_of(sign | bits_of((float)fraction * 0x1p-24F));
}

static uint16_t f16_from_f32(float value)
{
    uint32_t bits = bits_of(value);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    /* 65520 and above round to infinity: 65520 is half way between 65504, the largest number, and 65536. */
    if (magnitude >= 0x477ff000)
        return sign | 0x7c00;
    /* From 2^-14 up: rebias the exponent and round the fraction; a carry out of the fraction raises the exponent. */
    if (magnitude >= 0x38800000)
        return (uint16_t)(sign | shift_round(magnitude - 0x38000000, 13));
    /* Below half of the smallest denormal, 2^-25, everything is zero; 2^-25 itself is a tie and goes to zero too. */
    if (magnitude <= 0x33000000)
        return sign;
    /* A denormal counts units of 2^-24: the fraction with its leading one, shifted right by what the exponent lacks. */
    uint32_t fraction = (magnitude & 0x7fffff) | 0x800000;
    return (uint16_t)(sign | shift_round(fraction, 126 - (magnitude >> 23)));
}

static float bf16_to_f32(uint16_t upper)
{
    return float_of((uint32_t)upper << 16);
}

static uint16_t bf16_from_f32(float value)
{
    uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    /* The sum cannot wrap, because bits are at most those of minus infinity. Overflow carries into infinity by
       itself. */
    return (uint16_t)shift_round(bits, 16);
}

#define CONVERT16(type)                                                                                                \
    static void type##_array_to_f32(const void *src, float *dst, size_t count)                                         \
    {                                                                                                                  \
        const uint16_t *in = src;                                                                                      \
        for (size_t i = 0; i < count; i++)                                                                             \
            dst[i] = type##_to_f32(in[i]);                                                                             \
    }                                                                                                                  \
    static void type##_array_from_f32(const float *src, void *dst, size_t count)                                       \
    {                                                                                                                  \
        uint16_t *out = dst;                                                                                           \
        for (size_t i = 0; i < count; i++)                                                                             \
            out[i] = type##_from_f32(src[i]);                                                                          \
    }
CONVERT16(f16)
CONVERT16(bf16)

static void f32_copy_to(const void *src, float *dst, size_t count)
{
    memcpy(dst, src, count * sizeof(float));
}

static void f32_copy_from(const float *src, void *dst, size_t count)
{
    memcpy(dst, src, count * sizeof(float));
}

const struct convert_kernel convert_ref = {
    .name = "ref",
    .needs = 0,
    .to_f32 = {[MMARN_F16] = f16_array_to_f32, [MMARN_BF16] = bf16_array_to_f32, [MMARN_F32] = f32_copy_to},
    .from_f32 = {[MMARN_F16] = f16_array_from_f32, [MMARN_BF16] = bf16_array_from_f32, [MMARN_F32] = f32_copy_from},
};
