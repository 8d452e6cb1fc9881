/* SPDX-License-Identifier: MIT */
/* dtype.h - element types by number; the codes are those of mmarn_dtype. */
#ifndef MMARN_BASE_DTYPE_H
#define MMARN_BASE_DTYPE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arithmetic.h"
#include "mmarn/mmarn_types.h"

/* Codes run from 1 to DTYPE_COUNT - 1, so that tables can be indexed by them. */
enum { DTYPE_COUNT = 9 };

/* f16, bf16 or f32. */
bool dtype_is_float(int32_t dtype);

/* Indexed by a valid code. */
extern const uint8_t dtype_bits_of[DTYPE_COUNT];

static inline int dtype_bits(int32_t dtype)
{
    assert(dtype > 0 && dtype < DTYPE_COUNT);
    return dtype_bits_of[dtype];
}

/* Bytes of one element; not for i4, of which two share a byte. */
static inline size_t dtype_size(int32_t dtype)
{
    assert(dtype != MMARN_I4);
    return (size_t)dtype_bits(dtype) / 8;
}

/* "f16", "bf16", "f32", "i8", ...; "?" for a code that is not valid. */
const char *dtype_name(int64_t dtype);

#endif
