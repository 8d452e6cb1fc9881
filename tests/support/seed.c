/* SPDX-License-Identifier: MIT */
/* seed.c - one seed for a test program, told once. Ranks that are threads may ask for it at the same time. */
#include "support/seed.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "reference/random.h"

static uint64_t seed;
static bool known;
static pthread_once_t once = PTHREAD_ONCE_INIT;

bool test_seed_set(uint64_t given)
{
    seed = given;
    return known = true;
}

static void find_and_tell(void)
{
    const char *given = getenv("MMARN_TEST_SEED");
    if (!known && given)
        test_seed_set(strtoull(given, NULL, 0));
    else if (!known)
        test_seed_set((uint64_t)time(NULL) * 1000 + (uint64_t)getpid() % 1000);
    fprintf(stderr, "repeat with: MMARN_TEST_SEED=%llu %s\n", (unsigned long long)seed, program_invocation_name);
}

uint64_t test_seed(void)
{
    pthread_once(&once, find_and_tell);
    return seed;
}

uint64_t test_random(uint64_t *state)
{
    const uint64_t word = random_word(*state, 0);
    *state += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64's step: any two states give sequences of their own */
    return word;
}
