/* SPDX-License-Identifier: MIT */
/*
 * random.c - splitmix64's finaliser applied to a counter. Any element can be made alone, in any order.
 */
#include "reference/random.h"

#include <math.h>

#include "reference/halffloat.h"
#include "reference/quantised.h"

/* The odd number nearest to 2^64 / golden ratio: successive counters fall far apart. */
static const uint64_t GOLDEN = 0x9e3779b97f4a7c15u;

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t random_key(uint64_t seed, uint64_t stream)
{
    return mix(mix(seed + GOLDEN) ^ (stream + 1) * GOLDEN);
}

uint64_t random_word(uint64_t key, uint64_t index)
{
    return mix(key + (index + 1) * GOLDEN);
}

void random_uniform(uint64_t key, int32_t dtype, float low, float high, void *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float unit = (float)(random_word(key, i) >> 40) * 0x1p-24f;
        halffloat_store(dtype, out, i, low + (high - low) * unit);
    }
}

/* Adds the four 16-bit quarters of a word. */
static uint32_t quarters(uint64_t word)
{
    const uint64_t mask = 0x0000ffff0000ffffu;
    uint64_t pairs = (word & mask) + (word >> 16 & mask);
    return (uint32_t)(pairs & 0xffffffffu) + (uint32_t)(pairs >> 32);
}

/* Of mean 0 and standard deviation 1. */
static float bell(uint64_t key, size_t i)
{
    uint32_t sum = quarters(random_word(key, 3 * i)) + quarters(random_word(key, 3 * i + 1)) +
                   quarters(random_word(key, 3 * i + 2));
    /* Twelve uniforms on [0, 1) have variance 1; 6 * 65535 is the middle of their integer sum. */
    return (float)((int32_t)sum - 6 * 65535) * 0x1p-16f;
}

void random_normal(uint64_t key, int32_t dtype, float mean, float deviation, void *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        halffloat_store(dtype, out, i, mean + deviation * bell(key, i));
}

/* 128, or 8: the type holds -limit .. limit - 1. */
static int limit_of(int32_t dtype)
{
    return dtype == MMARN_I4 ? 8 : 128;
}

void random_quanta_normal(uint64_t key, int32_t dtype, float deviation, void *out, size_t count)
{
    const float limit = (float)limit_of(dtype);
    for (size_t i = 0; i < count; i++) {
        const float value = rintf(deviation * bell(key, i));
        quantised_store(dtype, out, i, (int)fminf(fmaxf(value, -limit), limit - 1));
    }
}

void random_quanta_uniform(uint64_t key, int32_t dtype, void *out, size_t count)
{
    const int limit = limit_of(dtype);
    for (size_t i = 0; i < count; i++)
        quantised_store(dtype, out, i, (int)(random_word(key, i) >> 32 & (uint64_t)(2 * limit - 1)) - limit);
}

void random_scales(uint64_t key, int32_t dtype, float middle, int octaves, void *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint64_t word = random_word(key, i);
        const int octave = (int)((word & 0xffffffffu) % (uint64_t)(2 * octaves)) - octaves;
        const float within = 1.0f + (float)(word >> 40) * 0x1p-24f;
        halffloat_store(dtype, out, i, ldexpf(middle * within, octave));
    }
}
