/* SPDX-License-Identifier: MIT */
/*
 * kernels.h - the kernels of this build, and those that serve on this processor. A line of kernels.inc counts when the
 * processor has all that it needs and MMARN_CPU allows it. Of the lines that count, the last one that has an entry
 * gives it: so a table may leave entries NULL, and plain C, the first line of each kind, is under all of them.
 */
#ifndef MMARN_GEMM_KERNEL_KERNELS_H
#define MMARN_GEMM_KERNEL_KERNELS_H

#include "gemm/kernel/bf16_kernel.h"
#include "gemm/kernel/expand_kernel.h"
#include "gemm/kernel/float_kernel.h"
#include "gemm/kernel/i8_kernel.h"
#include "gemm/kernel/pack_kernel.h"

/* All lines of kernels.inc, by kind, in its order, each list ending with NULL. Entry 0 is plain C. */
extern const struct float_kernel *const float_kernels[];
extern const struct pack_kernel *const pack_kernels[];
extern const struct bf16_kernel *const bf16_kernels[];
extern const struct i8_kernel *const i8_kernels[];
extern const struct expand_kernel *const expand_kernels[];

/* The entries that serve, each with the name of the line that gives it where callers tell of it. */
struct gemm_kernels {
    float_block_fn *block[DTYPE_COUNT];
    const char *block_name[DTYPE_COUNT];
    pack_fn *pack_kn[DTYPE_COUNT], *pack_nk[DTYPE_COUNT];
    struct bf16_kernel bf16; /* block is NULL where there is no kernel */
    struct i8_kernel i8;
    expand_fn *expand[DTYPE_COUNT][DTYPE_COUNT];
    expand_few_fn *few[DTYPE_COUNT][DTYPE_COUNT];
    const char *few_name[DTYPE_COUNT][DTYPE_COUNT];
    const struct gemm_tiling *tiling;
};

/* Chosen once. */
const struct gemm_kernels *gemm_kernels_best(void);

#endif
