/* SPDX-License-Identifier: MIT */
/*
 * random.h - reproducible random data: element i of stream (seed, stream) is a function of those three numbers alone.
 * Nothing of libm is involved that rounds, so the same numbers come out on every machine and with every number of
 * threads.
 */
#ifndef MMARN_REFERENCE_RANDOM_H
#define MMARN_REFERENCE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* The key of one stream of a seed. */
uint64_t random_key(uint64_t seed, uint64_t stream);

/* The index-th 64 random bits of a stream. */
uint64_t random_word(uint64_t key, uint64_t index);

/* Fills count elements of a dtype (mmarn_dtype), rounded to nearest even. */
void random_uniform(uint64_t key, int32_t dtype, float low, float high, void *out, size_t count);

/*
 * As random_uniform, with mean and standard deviation. The sum of twelve uniforms: bell-shaped, never beyond six
 * standard deviations.
 */
void random_normal(uint64_t key, int32_t dtype, float mean, float deviation, void *out, size_t count);

/* int8 or int4 elements (MMARN_I8, MMARN_I4): bell-shaped around 0, whole numbers, clipped to the type; or uniform. */
void random_quanta_normal(uint64_t key, int32_t dtype, float deviation, void *out, size_t count);
void random_quanta_uniform(uint64_t key, int32_t dtype, void *out, size_t count);

/*
 * Positive scales from middle / 2^octaves up to middle * 2^octaves: as many in each octave, evenly spread within it.
 * That is log-uniform but for steps, and needs no logarithm.
 */
void random_scales(uint64_t key, int32_t dtype, float middle, int octaves, void *out, size_t count);

#endif
