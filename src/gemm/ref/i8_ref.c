/* SPDX-License-Identifier: MIT */
/* i8_ref.c - the definition of int8 x int8: plain C, one sum at a time. */
#include "gemm/kernel/i8_kernel.h"

/* Unsigned, so that sums wrap. */
static void block(const struct i8_block *g)
{
    const ptrdiff_t k_stride = g->interleaved ? GEMM_NR : g->k_stride;
    for (int i = 0; i < g->m; i++)
        for (int j = 0; j < g->n; j++) {
            const int8_t *a = (const int8_t *)g->a + i * g->lda;
            const int8_t *b = g->b + j / GEMM_NR * g->panel_stride + j % GEMM_NR;
            int32_t *c = g->c + i * g->ldc + j;
            uint32_t sum = g->first ? 0 : (uint32_t)*c;
            for (int p = 0; p < g->k; p++)
                sum += (uint32_t)(a[p] * b[p * k_stride]);
            *c = (int32_t)sum;
        }
}

const struct i8_kernel i8_ref = {.name = "ref", .needs = 0, .block = block, .x1 = I8_X1_AS_IT_IS};
