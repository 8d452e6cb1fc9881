/* SPDX-License-Identifier: MIT */
/* quant_ref.c - the definition of the kernels for integer weights: plain C, one weight at a time. */
#include <math.h>

#include "gemm/kernel/quant_kernel.h"
#include "gemm/ref/integer_ref.h"

static void few(int32_t dtype, const struct quant_block *g)
{
    for (int j = 0; j < g->n; j++) {
        const char *panel = (const char *)g->b + gemm_bytes(dtype, j / GEMM_NR * g->panel_stride);
        for (int i = 0; i < g->m; i++) {
            const float *a = (const float *)g->a + i * g->lda;
            float sum = 0, *c = &g->c[i * g->ldc + j];
            for (int p = 0; p < g->k; p++)
                sum = fmaf(a[p], (float)integer_at(dtype, panel, p, j % GEMM_NR), sum);
            *c = factors_apply(&g->factors, i, j, sum, g->first ? 0 : *c);
        }
    }
}

static void widen(int32_t dtype, const void *b, ptrdiff_t panel_stride, int k, int n, float *dst, ptrdiff_t dst_stride)
{
    for (int j = 0; j < gemm_panels(n) * GEMM_NR; j++) {
        const char *panel = (const char *)b + gemm_bytes(dtype, j / GEMM_NR * panel_stride);
        for (int p = 0; p < k; p++)
            dst[j / GEMM_NR * dst_stride + p * GEMM_NR + j % GEMM_NR] = (float)integer_at(dtype, panel, p, j % GEMM_NR);
    }
}

static void few_i8(const struct quant_block *g)
{
    few(MMARN_I8, g);
}

static void few_i4(const struct quant_block *g)
{
    few(MMARN_I4, g);
}

static void widen_i8(const void *b, ptrdiff_t panel_stride, int k, int n, float *dst, ptrdiff_t dst_stride)
{
    widen(MMARN_I8, b, panel_stride, k, n, dst, dst_stride);
}

static void widen_i4(const void *b, ptrdiff_t panel_stride, int k, int n, float *dst, ptrdiff_t dst_stride)
{
    widen(MMARN_I4, b, panel_stride, k, n, dst, dst_stride);
}

const struct quant_kernel quant_ref = {
    .name = "ref",
    .needs = 0,
    .few = {[MMARN_I8] = few_i8, [MMARN_I4] = few_i4},
    .widen = {[MMARN_I8] = widen_i8, [MMARN_I4] = widen_i4},
};
