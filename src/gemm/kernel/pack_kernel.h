/* SPDX-License-Identifier: MIT */
/* pack_kernel.h - the contract of the kernels that copy a piece of x2 into panels. */
#ifndef MMARN_GEMM_KERNEL_PACK_KERNEL_H
#define MMARN_GEMM_KERNEL_PACK_KERNEL_H

#include "gemm/kernel/panels.h"

/*
 * Copies a k x n piece of x2 into panels at dst (k_stride GEMM_NR, panel_stride gemm_panel), filling the last panel
 * with zeros. kn: src element (p, j) at src[p * ld + j]; nk (the transposed view): at src[j * ld + p].
 * i4: src as in mmarn.h, the axis with stride 1 even.
 */
typedef void pack_fn(const void *src, ptrdiff_t ld, int k, int n, void *dst);

/* A PACK line of kernels.inc. By x2's dtype; NULL: the line before it, and plain C at the end. */
struct pack_kernel {
    const char *name;
    unsigned needs; /* CPU features */
    pack_fn *kn[DTYPE_COUNT];
    pack_fn *nk[DTYPE_COUNT];
};

#endif
