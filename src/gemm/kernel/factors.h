/* SPDX-License-Identifier: MIT */
/*
 * factors.h - what a run of integer weights contributes to C. A run is rows of k that share a scale. Kernels sum the
 * products of x1 with the integers themselves, in one chain from zero, and multiply each sum once. So no weight is
 * rounded.
 */
#ifndef MMARN_GEMM_KERNEL_FACTORS_H
#define MMARN_GEMM_KERNEL_FACTORS_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * From a sum s of row i and column j:  C = fmaf(scale[j], u, C), where C starts from +0, and u is s, or with offsets
 * fmaf(offset[j], sums[i], s). scale and offset have a value for each column of every panel, including the last.
 */
struct gemm_factors {
    const float *scale, *offset; /* offset is NULL if there are none */
    const float *sums;           /* of x1 over the run, by row of A; not read without offsets */
};

/* The definition, in plain C; c is C's value, or 0. */
static inline float factors_apply(const struct gemm_factors *f, int i, int j, float s, float c)
{
    return fmaf(f->scale[j], f->offset ? fmaf(f->offset[j], f->sums[i], s) : s, c);
}

#endif
