/* SPDX-License-Identifier: MIT */
/*
 * convert.h - 16-bit floats to fp32 and back, arrays at a time.
 * Narrowing rounds to nearest, ties to even; overflow gives infinity; a NaN stays a NaN: its sign and upper payload
 * bits are kept and its quiet bit is set. Widening is exact (a NaN is made quiet for f16, kept as it is for bf16).
 * Every kernel gives the bits of convert_ref.c. f32 to f32 copies.
 */
#ifndef MMARN_BASE_CONVERT_H
#define MMARN_BASE_CONVERT_H

#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"

typedef void convert_to_f32_fn(const void *src, float *dst, size_t count);
typedef void convert_from_f32_fn(const float *src, void *dst, size_t count);

/* One line of convert_kernels.inc. An entry may be NULL: then the line before it serves, or at last plain C. */
struct convert_kernel {
    const char *name;
    unsigned needs;                             /* CPU features */
    convert_to_f32_fn *to_f32[DTYPE_COUNT];     /* by dtype */
    convert_from_f32_fn *from_f32[DTYPE_COUNT]; /* by dtype */
};

/* All kernels compiled in, best last, ending with NULL; entry 0 is the plain C definition. */
extern const struct convert_kernel *const convert_kernels[];

/* The entries that serve on this processor; chosen once. Its name is that of the last line that counts. */
const struct convert_kernel *convert_kernel_best(void);

/* Convert with the entries that serve; dtype is that of src or dst. Arrays may not overlap. */
void convert_to_f32(int32_t dtype, const void *src, float *dst, size_t count);
void convert_from_f32(int32_t dtype, const float *src, void *dst, size_t count);

#endif
