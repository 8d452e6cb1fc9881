/* SPDX-License-Identifier: MIT */
/*
 * kernels.h - the kernels of this build, and those that serve on this processor. A line of kernels.inc counts if the
 * processor has all that it needs and MMARN_CPU allows it; blocks for pairs of bf16 only where pairs are not slow. Each
 * entry comes from the last line that counts and has it. So a table may leave entries NULL; plain C, the first line of
 * each kind, has all of them.
 */
#ifndef MMARN_GEMM_KERNEL_KERNELS_H
#define MMARN_GEMM_KERNEL_KERNELS_H

#include "gemm/kernel/bf16_kernel.h"
#include "gemm/kernel/expand_kernel.h"
#include "gemm/kernel/float_kernel.h"
#include "gemm/kernel/i8_kernel.h"
#include "gemm/kernel/pack_kernel.h"
#include "gemm/kernel/quant_kernel.h"

/* All lines of kernels.inc, by kind, in its order; each list ends with NULL. Entry 0 is plain C. */
extern const struct float_kernel *const float_kernels[];
extern const struct pack_kernel *const pack_kernels[];
extern const struct bf16_kernel *const bf16_kernels[];
extern const struct i8_kernel *const i8_kernels[];
extern const struct expand_kernel *const expand_kernels[];
extern const struct quant_kernel *const quant_kernels[];

/* The entries that serve. Each has the name of the line that it comes from, if callers report that name. */
struct gemm_kernels {
    float_block_fn *block[DTYPE_COUNT];
    const char *block_name[DTYPE_COUNT];
    pack_fn *pack_kn[DTYPE_COUNT], *pack_nk[DTYPE_COUNT];
    struct bf16_kernel bf16; /* block is NULL if there is no kernel */
    struct i8_kernel i8;
    expand_fn *expand[DTYPE_COUNT][DTYPE_COUNT];
    quant_block_fn *few[DTYPE_COUNT], *few_pairs[DTYPE_COUNT];
    const char *few_name[DTYPE_COUNT], *few_pairs_name[DTYPE_COUNT];
    quant_widen_fn *widen[DTYPE_COUNT];
    const struct gemm_tiling *tiling;
};

/* Chosen once. */
const struct gemm_kernels *gemm_kernels_best(void);

#endif
