/* SPDX-License-Identifier: MIT */
/* quant_word.c - encodes and decodes dequantisation words bit by bit: the scale keeps 10 bits of its mantissa. */
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

/* Rounds to nearest, ties to even, in the kept bits. Subnormals become zero; infinities and NaNs are truncated. */
static uint32_t round_bits(uint32_t bits)
{
    if ((bits & exponent) == 0)
        return bits & sign;
    if ((bits & exponent) == exponent)
        return bits & kept;
    const uint32_t odd = bits >> DROPPED_BITS & 1;
    return (bits + (1u << (DROPPED_BITS - 1)) - 1 + odd) & kept;
}

/* offset is used if has_offset. nearest: the scale is rounded to nearest even instead of truncated. */
static uint64_t make_word(float scale, bool has_offset, float offset, bool nearest)
{
    uint32_t bits;
    memcpy(&bits, &scale, sizeof bits);
    uint64_t word = marker | (nearest ? round_bits(bits) : bits & kept);
    if (!has_offset)
        return word;
    /* rintf rounds to even in the default environment. A NaN cannot be an integer, and becomes 0. */
    float rounded = isnan(offset) ? 0 : rintf(offset);
    int value = rounded < OFFSET_LEAST ? OFFSET_LEAST : rounded > OFFSET_MOST ? OFFSET_MOST : (int)rounded;
    return word | (uint64_t)(value & 0x1FF) << OFFSET_SHIFT;
}

static bool check(int64_t scale_count, const float *offset, int64_t offset_count, int32_t round_mode,
                  struct error *error)
{
    if (round_mode != 0 && round_mode != 1)
        return error_fail(error, MMARN_ERR_ARGUMENT, "round_mode must be 0 or 1 but is %d", round_mode);
    if (scale_count < 1)
        return error_fail(error, MMARN_ERR_ARGUMENT, "scale_count is %lld; it must be at least 1",
                          (long long)scale_count);
    if (offset_count < 0 || (offset_count > 0) != (offset != NULL))
        return error_fail(error, MMARN_ERR_ARGUMENT, "offset_count is %lld but offset is %s", (long long)offset_count,
                          offset ? "given" : "NULL");
    if (offset && offset_count != scale_count && offset_count != 1 && scale_count != 1)
        return error_fail(error, MMARN_ERR_ARGUMENT,
                          "offset_count is %lld but scale_count is %lld; they must be equal or 1",
                          (long long)offset_count, (long long)scale_count);
    return true;
}

bool quant_words_make(const float *scale, int64_t scale_count, const float *offset, int64_t offset_count,
                      int32_t round_mode, uint64_t *words, struct error *error)
{
    if (!check(scale_count, offset, offset_count, round_mode, error))
        return false;
    const int64_t count = offset_count > scale_count ? offset_count : scale_count;
    for (int64_t i = 0; i < count; i++)
        words[i] = make_word(scale[scale_count == 1 ? 0 : i], offset, offset ? offset[offset_count == 1 ? 0 : i] : 0,
                             round_mode == 1);
    return true;
}
