/* SPDX-License-Identifier: MIT */
/* seed.c - one seed for a test program, printed once. */
#include "support/seed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "reference/random.h"

static uint64_t seed;
static bool known;

bool test_seed_set(uint64_t given)
{
    seed = given;
    return known = true;
}

uint64_t test_seed(void)
{
    static bool told;
    const char *given = getenv("MMARN_TEST_SEED");
    if (!known && given)
        test_seed_set(strtoull(given, NULL, 0));
    else if (!known)
        test_seed_set((uint64_t)time(NULL) * 1000 + (uint64_t)getpid() % 1000);
    if (!told)
        fprintf(stderr, "repeat with: MMARN_TEST_SEED=%llu %s\n", (unsigned long long)seed, program_invocation_name);
    told = true;
    return seed;
}

uint64_t test_random(uint64_t *state)
{
    const uint64_t word = random_word(*state, 0);
    *state += UINT64_C(0x9E3779B97F4A7C15); /* the step of splitmix64: any two states give independent sequences */
    return word;
}
