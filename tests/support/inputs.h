/* SPDX-License-Identifier: MIT */
/*
 * inputs.h - arrays of random numbers, and random choices, for tests. An array depends only on its key: hashes of
 * results are kept in the project (tests/group/stored_bits.inc), so these sequences must stay as they are. The hostile
 * numbers of checkasm are its own (tests/checkasm/data.c): they come with a second definition of the types.
 */
#ifndef MMARN_TESTS_INPUTS_H
#define MMARN_TESTS_INPUTS_H

#include <stdbool.h>
#include <stdint.h>

/* `count` normally distributed elements of a float dtype. To be freed; of at least one byte, also for no elements. */
void *inputs_normal(uint64_t key, int32_t dtype, float mean, float deviation, int64_t count);

/* `count` integers over the whole range of MMARN_I8 or MMARN_I4; or only its two ends, mostly the lower one. */
void *inputs_integers(uint64_t key, int32_t dtype, bool ends, int64_t count);

/* The next choice of a sequence (seed.h), low and high included. */
int64_t inputs_between(uint64_t *state, int64_t low, int64_t high);
bool inputs_coin(uint64_t *state);

#endif
