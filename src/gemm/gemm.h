/* SPDX-License-Identifier: MIT */
/*
 * gemm.h - one rank's matmul: weights in a layout that kernels read, and tiles of C = x1 @ x2. Kernels are in kernel/
 * (their contracts, which say how sums are made, and the list), ref/ (their definitions, plain C) and x86/.
 */
#ifndef MMARN_GEMM_GEMM_H
#define MMARN_GEMM_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gemm/kernel/panels.h"

enum gemm_layout {
    GEMM_KN,    /* the caller's row-major (k, n) */
    GEMM_NK,    /* the caller's row-major (n, k), seen as (k, n) */
    GEMM_PACKED /* panels, in memory of our own; for i8 x i8 after its kernel's interleave */
};

/*
 * x2 as the tiles read it. For GEMM_KN and GEMM_NK data is borrowed and ld is its row length in elements.
 *
 *   dtype      x_dtype        C
 *   f16 ..f32  the same       fp32: the chain or chains of kernel/float_kernel.h
 *   i8         i8             int32, exact (modulo 2^32): gemm_dequantise makes it fp32
 *   i8, i4     f16, bf16, f32 fp32: a chain over the integers for each run of k, which is then scaled and added
 *                             (kernel/factors.h). A run ends with a group and at each multiple of GEMM_CHAIN rows.
 *                             With `rounded`: one chain over weights that are expanded to x_dtype first,
 *                             w = (q + offset) * scale in fp32, rounded to f16 after each step, or to bf16 at the end
 */
struct gemm_weights {
    int32_t dtype;   /* of x2 */
    int32_t x_dtype; /* of x1 */
    enum gemm_layout layout;
    int64_t k, n;
    const void *data;
    int64_t ld;
    /* Integers that meet floats: rows of k in a group (k if there is one group; otherwise a multiple of 32), and the
       groups' values, fp32: group g, column j at [g * scale_ld + j]. scale_ld is n rounded up to GEMM_NR, zeros at the
       end. Borrowed, even when data is packed. offset is NULL if there are no offsets. */
    bool rounded;
    int64_t group, scale_ld;
    const float *scale, *offset;
    /* For bf16 in panels: the exponent field of the smallest number that is not zero, as defined by
       bf16_min_exponent_fn; 0 if not known. */
    unsigned min_exponent;
    void *owned; /* freed by gemm_weights_free; NULL when borrowed */
};

/* Packs borrowed weights into panels, with up to `threads` threads. False when memory is short; *packed is untouched.
 */
bool gemm_weights_pack(const struct gemm_weights *borrowed, int threads, struct gemm_weights *packed);
void gemm_weights_free(struct gemm_weights *weights);

/* Bytes of the weights as they are stored, without their scales. */
int64_t gemm_weights_bytes(const struct gemm_weights *weights);

/*
 * The kernel for a tile of so many rows, and the type of its multiply-adds: "fp32", "bf16" or "int8". Blocks of bf16
 * with numbers close to the subnormal range still use fp32 (kernel/bf16_kernel.h).
 */
struct gemm_choice {
    const char *kernel, *multiply;
};
struct gemm_choice gemm_choice_of(const struct gemm_weights *weights, int64_t rows);

/*
 * One thread's working memory, for any weights and tiles: A converted and, for weights that are borrowed or must be
 * expanded, the piece of x2 that is being used. NULL when memory is short.
 */
struct gemm_scratch;
struct gemm_scratch *gemm_scratch_create(void);
void gemm_scratch_destroy(struct gemm_scratch *scratch);

/*
 * Drops the converted rows of x1. Tiles of the same rows share one conversion, which is recognised by x1's address. So
 * this must be called whenever the contents of x1 or the weights may have changed, for example at the start of every
 * operator call.
 */
void gemm_scratch_reset(struct gemm_scratch *scratch);

/*
 * c[m][n] (row length ldc, fp32) = x1[row .. row + m)[:] @ x2[:][col .. col + n). x1 is row-major (rows, k) of
 * x_dtype. col must be a multiple of GEMM_NR. For i8 x i8 the elements of c are int32.
 */
void gemm_tile(const struct gemm_weights *weights, struct gemm_scratch *scratch, const void *x1, int64_t row, int m,
               int64_t col, int n, float *c, ptrdiff_t ldc);

/*
 * Turns a tile of int32 sums into fp32, in place: c = float(sum + bias[j]) * scale[j] (* row_scale[i]), each operation
 * rounded to fp32, the addition modulo 2^32. bias (n) and row_scale (m) may be NULL; scale has n values.
 */
void gemm_dequantise(float *c, ptrdiff_t ldc, int m, int n, const int32_t *bias, const float *scale,
                     const float *row_scale);

#endif
