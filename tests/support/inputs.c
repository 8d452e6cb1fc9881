/* SPDX-License-Identifier: MIT */
/* inputs.c - see inputs.h. */
#include "support/inputs.h"

#include <stdlib.h>

#include "mmarn/mmarn.h"
#include "reference/halffloat.h"
#include "reference/quantised.h"
#include "reference/random.h"
#include "support/seed.h"

void *inputs_normal(uint64_t key, int32_t dtype, float mean, float deviation, int64_t count)
{
    void *array = malloc((size_t)count * halffloat_size(dtype) + 1);
    random_normal(key, dtype, mean, deviation, array, (size_t)count);
    return array;
}

void *inputs_integers(uint64_t key, int32_t dtype, bool ends, int64_t count)
{
    void *array = calloc(1, quantised_bytes(dtype, (size_t)count) + 1);
    const int low = dtype == MMARN_I4 ? -8 : -128, high = -low - 1;
    for (int64_t i = 0; i < count; i++) {
        const uint64_t word = random_word(key, (uint64_t)i);
        const int value = low + (int)(word % (uint64_t)(high - low + 1));
        quantised_store(dtype, array, (size_t)i, !ends ? value : word % 8 ? low : high);
    }
    return array;
}

int64_t inputs_between(uint64_t *state, int64_t low, int64_t high)
{
    return low + (int64_t)(test_random(state) % (uint64_t)(high - low + 1));
}

bool inputs_coin(uint64_t *state)
{
    return test_random(state) & 1;
}
