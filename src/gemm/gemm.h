/*
 * gemm.h - one rank's matmul: weights in a layout that kernels read, and tiles of C = x1 @ x2 in fp32.
 *
 * The order of summation is part of the contract. A chain is a sum by fused multiply-adds over k in ascending order,
 * starting from zero (acc = fmaf(a[k], b[k], acc)). Every element of C is one chain; for f16 and f32 weights there is a
 * chain for each GEMM_CHAIN rows of k, and C is their sum, added one after another. This holds whatever the layout,
 * kernel, tile or number of rows, so results do not depend on any of them, and the plain C kernel is matched to the
 * bit.
 */
#ifndef MMARN_GEMM_GEMM_H
#define MMARN_GEMM_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"

/*
 * Columns of one panel. Packed weights are ceil(n / GEMM_NR) panels of k rows of GEMM_NR elements, zeros at the end.
 * Rows of int4 lie in pairs of 16 bytes: byte 16 q + j of a panel holds column j, of row 2 q in its lower four bits and
 * of row 2 q + 1 in its upper ones, which are zeros after the last row of an odd k. Rows of bf16 lie in pairs, too,
 * each column's two side by side: element 32 q + 2 j + 1 is row 2 q, column j, and element 32 q + 2 j is row 2 q + 1,
 * zero after the last row of an odd k. So of a 32-bit word the upper half comes first down k, as vdpbf16ps would have
 * it.
 */
enum { GEMM_NR = 16 };

/* Rows of k in one chain of f16 and f32: docs/numerics.md says why. */
enum { GEMM_CHAIN = 512 };

/* ---------------------------------------------------------------------------------- kernels (per instruction set) */

/*
 * C[m][n] (+)= A[m][k] @ B[k][n] for one block. A is fp32, row i at a + i * lda. B is of the kernel's dtype: element
 * (p, j) at b[(j / GEMM_NR) * panel_stride + p * k_stride + j % GEMM_NR], so a packed matrix (k_stride GEMM_NR) and a
 * row-major one (k_stride its row length, panel_stride GEMM_NR) are both read in place. paired: B lies in panels, where
 * bf16 has pairs of rows and k_stride says nothing of it. All GEMM_NR columns of the last panel must be readable; only
 * n are stored. C is fp32, row i at c + i * ldc. chain 0: the block is part of one chain, which goes on from the value
 * of C. Else there is a chain for every `chain` rows of the block, which is added to C (f16 and f32 only). With first
 * there is nothing in C yet: the first chain starts from zero, and is C's first value as it is, be it a negative zero.
 */
struct gemm_block {
    const float *a;
    ptrdiff_t lda;
    const void *b;
    ptrdiff_t k_stride, panel_stride; /* in elements */
    float *c;
    ptrdiff_t ldc;
    int m, n, k;
    int chain;
    bool first, paired;
};
typedef void gemm_block_fn(const struct gemm_block *block);

/*
 * Copies a k x n piece of x2 into panels at dst (k_stride GEMM_NR, panel_stride gemm_panel), filling the last panel
 * with zeros. kn: src element (p, j) at src[p * ld + j]; nk (the transposed view): at src[j * ld + p].
 * i4: src as in mmarn.h, the axis with stride 1 even.
 */
typedef void gemm_pack_fn(const void *src, ptrdiff_t ld, int k, int n, void *dst);

/* One line of gemm_kernels.inc. */
struct gemm_kernel {
    const char *name;
    unsigned needs;                    /* CPU features */
    gemm_block_fn *block[DTYPE_COUNT]; /* by dtype, floats only */
    gemm_pack_fn *pack_kn[DTYPE_COUNT];
    gemm_pack_fn *pack_nk[DTYPE_COUNT];
};

/* Bytes of this many elements: even for i4. */
static inline ptrdiff_t gemm_bytes(int32_t dtype, int64_t elements)
{
    return (ptrdiff_t)(elements * dtype_bits(dtype) / 8);
}

/* Elements from one panel of k rows to the next. An even row p begins at element p * GEMM_NR, whatever the type. */
static inline ptrdiff_t gemm_panel(int32_t dtype, int64_t k)
{
    return (ptrdiff_t)(GEMM_NR * (dtype == MMARN_I4 || dtype == MMARN_BF16 ? k + k % 2 : k));
}

/* All kernels compiled in, best last, ending with NULL; entry 0 is the plain C definition. */
extern const struct gemm_kernel *const gemm_kernels[];

/* The best kernel that cpu_features allows; chosen once. */
const struct gemm_kernel *gemm_kernel_best(void);

/* ------------------------------------------------------------------------------------------- weights and tiles */

enum gemm_layout {
    GEMM_KN,    /* the caller's row-major (k, n) */
    GEMM_NK,    /* the caller's row-major (n, k), seen as (k, n) */
    GEMM_PACKED /* panels, in memory of our own; for i8 x i8 after quant_i8_interleave_fn */
};

/*
 * x2 as the tiles read it. For GEMM_KN and GEMM_NK data is borrowed and ld is its row length in elements.
 *
 *   dtype      x_dtype        C
 *   f16 ..f32  the same       fp32: the chain or chains above
 *   i8         i8             int32, exact (modulo 2^32): gemm_dequantise makes it fp32
 *   i8, i4     f16, bf16, f32 fp32: one chain over weights that are expanded to x_dtype first,
 *                             w = (q + offset) * scale in fp32, rounded to f16 after each step, or to bf16 at the end
 */
struct gemm_weights {
    int32_t dtype;   /* of x2 */
    int32_t x_dtype; /* of x1 */
    enum gemm_layout layout;
    int64_t k, n;
    const void *data;
    int64_t ld;
    /* Weights to be expanded: rows of k in a group (k when there is one; otherwise even for i4, whose rows lie in
       pairs), and the groups' values, fp32: group g, column j at [g * scale_ld + j]. scale_ld is n rounded up to
       GEMM_NR, zeros at the end. Borrowed, also when data is packed. offset is NULL when there is none. */
    int64_t group, scale_ld;
    const float *scale, *offset;
    /* Of bf16 in panels: the exponent field of the smallest number that is not zero, as dot.h has it; 0 if not known.
     */
    unsigned lowest;
    void *owned; /* what gemm_weights_free gives back; NULL when borrowed */
};

/* Packs borrowed weights into panels, with up to `threads` threads. False when memory is short; *packed is untouched.
 */
bool gemm_weights_pack(const struct gemm_weights *borrowed, int threads, struct gemm_weights *packed);
void gemm_weights_free(struct gemm_weights *weights);

/* Bytes of the weights as they lie, without their scales. */
int64_t gemm_weights_bytes(const struct gemm_weights *weights);

/*
 * Which kernel a tile of so many rows is for, and what its multiply-adds are made of: "fp32", "bf16" or "int8". Blocks
 * of bf16 with numbers near the subnormal ones go by fp32 all the same (dot.h).
 */
struct gemm_choice {
    const char *kernel, *multiply;
};
struct gemm_choice gemm_choice_of(const struct gemm_weights *weights, int64_t rows);

/*
 * One thread's working memory, for any weights and tiles: A converted, and, for weights that are borrowed or must be
 * expanded, the piece of x2 being worked on. NULL when memory is short.
 */
struct gemm_scratch;
struct gemm_scratch *gemm_scratch_create(void);
void gemm_scratch_destroy(struct gemm_scratch *scratch);

/*
 * Forgets the converted rows of x1. Tiles of the same rows share one conversion, recognised by x1's address: so this
 * must be called whenever x1's contents or the weights may have changed, as at the start of every operator call.
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
