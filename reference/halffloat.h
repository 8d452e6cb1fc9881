/* SPDX-License-Identifier: MIT */
/*
 * halffloat.h - the reference's own conversions between f16, bf16, f32 and double.
 * Independent of src/base/convert.h on purpose: a mistake there must not be repeated here. Narrowing rounds a double
 * once, to nearest, ties to even; overflow gives infinity; a NaN stays a NaN. Widening is exact.
 */
#ifndef MMARN_REFERENCE_HALFFLOAT_H
#define MMARN_REFERENCE_HALFFLOAT_H

#include <stddef.h>
#include <stdint.h>

#include "mmarn/mmarn.h"

uint16_t halffloat_f16_from_double(double value);
uint16_t halffloat_bf16_from_double(double value);
float halffloat_f16_to_float(uint16_t bits);
float halffloat_bf16_to_float(uint16_t bits);

/* Bytes of one element of a dtype. */
size_t halffloat_size(int32_t dtype);

/* One element of an array of a dtype. */
float halffloat_load(int32_t dtype, const void *array, size_t index);
void halffloat_store(int32_t dtype, void *array, size_t index, double value);

/* A value rounded to a dtype. */
float halffloat_round(int32_t dtype, double value);

/* Distance between neighbours of the dtype in the binade of |value|, not below that of its subnormals. */
double halffloat_ulp(int32_t dtype, double value);

/* Widens count elements. */
void halffloat_to_float(int32_t dtype, const void *array, float *out, size_t count);
void halffloat_to_double(int32_t dtype, const void *array, double *out, size_t count);

#endif
