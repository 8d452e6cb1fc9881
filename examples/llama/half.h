/* SPDX-License-Identifier: MIT */
/*
 * half.h - fp32 to and from the types that activations may have: f16, bf16 and f32 itself. Rounded to nearest, ties to
 * even; overflow gives infinity. Plain C, so that the example needs nothing beyond the library.
 */
#ifndef LLAMA_HALF_H
#define LLAMA_HALF_H

#include <mmarn/mmarn.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of one element of f16, bf16 or f32. */
size_t float_size(mmarn_dtype dtype);

/* to[i] = from[i] in dtype. */
void float_narrow(mmarn_dtype dtype, const float *from, void *to, int64_t count);

uint16_t half_from_float(float value);
float half_to_float(uint16_t half);

#endif
