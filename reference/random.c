/*
 * random.c - splitmix64's finaliser applied to a counter. Any element can be made alone, in any order.
 */
#include "reference/random.h"

#include "reference/halffloat.h"

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

void random_normal(uint64_t key, int32_t dtype, float mean, float deviation, void *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t sum = quarters(random_word(key, 3 * i)) + quarters(random_word(key, 3 * i + 1)) +
                       quarters(random_word(key, 3 * i + 2));
        /* Twelve uniforms on [0, 1) have variance 1; 6 * 65535 is the middle of their integer sum. */
        float bell = (float)((int32_t)sum - 6 * 65535) * 0x1p-16f;
        halffloat_store(dtype, out, i, mean + deviation * bell);
    }
}
