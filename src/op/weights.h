/* SPDX-License-Identifier: MIT */
/*
 * weights.h - from the caller's x2 and scales to what the matmul reads.
 */
#ifndef MMARN_OP_WEIGHTS_H
#define MMARN_OP_WEIGHTS_H

#include "gemm/gemm.h"
#include "op/types.h"

/* GEMM_KN or GEMM_NK; GEMM_PACKED for a layout that the matmul cannot read in place. */
enum gemm_layout weights_layout(const mmarn_tensor *x2);

/* x2 in its own memory, without scales. */
struct gemm_weights weights_borrow(const mmarn_tensor *x2, const struct op_kind *kind);

/*
 * Scales or offsets as an fp32 array of `groups` rows of scale_ld values (n rounded up to GEMM_NR, zeros at the end). A
 * single value, or a single row, is repeated. Words are decoded. NULL when memory is short; the caller frees it with
 * memory_free.
 */
float *weights_scales(const mmarn_tensor *scale, int64_t groups, int64_t n, int64_t scale_ld);

#endif
