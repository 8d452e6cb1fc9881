/* SPDX-License-Identifier: MIT */
/*
 * float_bad.c - kernels that are wrong on purpose, for the test of checkasm's reports: one reads beyond its panel, and
 * one adds in another order.
 */
#include "gemm/kernel/float_kernel.h"

static void beyond(const struct float_block *g)
{
    const volatile float *b = g->b;
    for (int at = 0; at < 1 << 22; at++)
        (void)b[at];
}

static void backwards(const struct float_block *g)
{
    for (int i = 0; i < g->m; i++)
        for (int j = 0; j < g->n; j++) {
            float sum = g->first ? 0 : g->c[i * g->ldc + j];
            for (int p = g->k - 1; p >= 0; p--)
                sum += g->a[i * g->lda + p] *
                       ((const float *)g->b)[j / GEMM_NR * g->panel_stride + p * g->k_stride + j % GEMM_NR];
            g->c[i * g->ldc + j] = sum;
        }
}

const struct float_kernel float_beyond = {.name = "beyond", .needs = 0, .block = {[MMARN_F32] = beyond}};
const struct float_kernel float_backwards = {.name = "backwards", .needs = 0, .block = {[MMARN_F32] = backwards}};
