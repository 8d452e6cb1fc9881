/* SPDX-License-Identifier: MIT */
/*
 * seed.h - the seed of all random data in tests: MMARN_TEST_SEED, or a new one, which is printed so that a failure can
 * be repeated.
 */
#ifndef MMARN_TESTS_SEED_H
#define MMARN_TESTS_SEED_H

#include <stdbool.h>
#include <stdint.h>

/* The seed. The first call prints it, with the command that repeats the program. */
uint64_t test_seed(void);

/* Replaces the environment variable. To be called before the first test_seed. Returns true. */
bool test_seed_set(uint64_t seed);

/* The next 64 random bits of a sequence; any state can begin one. */
uint64_t test_random(uint64_t *state);

#endif
