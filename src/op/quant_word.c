/*
 * quant_word.c - encoding and decoding of dequantisation words, by bits: the scale keeps 10 bits of its mantissa.
 */
#include "op/quant_word.h"

#include <math.h>
#include <string.h>

enum { DROPPED_BITS = 13, OFFSET_SHIFT = 37, OFFSET_LEAST = -256, OFFSET_MOST = 255 };
static const uint32_t kept = UINT32_MAX << DROPPED_BITS;
static const uint32_t sign = UINT32_C(1) << 31;
static const uint32_t exponent = UINT32_C(0xFF) << 23;
static const uint64_t marker = UINT64_C(1) << 46;

float quant_word_scale(uint64_t word)
{
    const uint32_t bits = (uint32_t)word & kept;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return scale;
}

/* To nearest, ties to even, in the kept bits; subnormals become zero, infinities and NaNs are truncated. */
static uint32_t round_bits(uint32_t bits)
{
    if ((bits & exponent) == 0)
        return bits & sign;
    if ((bits & exponent) == exponent)
        return bits & kept;
    const uint32_t odd = bits >> DROPPED_BITS & 1;
    return (bits + (1u << (DROPPED_BITS - 1)) - 1 + odd) & kept;
}

uint64_t quant_word_make(float scale, bool has_offset, float offset, bool nearest)
{
    uint32_t bits;
    memcpy(&bits, &scale, sizeof bits);
    uint64_t word = marker | (nearest ? round_bits(bits) : bits & kept);
    if (!has_offset)
        return word;
    /* rintf rounds to even in the default environment; a NaN has no place among the integers and becomes 0. */
    float rounded = isnan(offset) ? 0 : rintf(offset);
    int value = rounded < OFFSET_LEAST ? OFFSET_LEAST : rounded > OFFSET_MOST ? OFFSET_MOST : (int)rounded;
    return word | (uint64_t)(value & 0x1FF) << OFFSET_SHIFT;
}
