/* SPDX-License-Identifier: MIT */
/*
 * float_toy.c - a kernel as small as docs/adding-a-kernel.md allows: fp32 weights only, one element at a time. It is
 * linked into a copy of checkasm whose list of kernels has one more line, and must pass there. Other lines provide the
 * entries that it leaves NULL.
 */
#include <math.h>

#include "gemm/kernel/float_kernel.h"

/* One chain over k rows of B for the element in row i, column j, continued from sum. */
static float chain(const struct float_block *g, int i, int j, int from, int k, float sum)
{
    const float *b = (const float *)g->b + j / GEMM_NR * g->panel_stride + j % GEMM_NR;
    for (int p = from; p < from + k; p++)
        sum = fmaf(g->a[i * g->lda + p], b[p * g->k_stride], sum);
    return sum;
}

static void block(const struct float_block *g)
{
    const int longest = g->chain ? g->chain : g->k;
    for (int i = 0; i < g->m; i++)
        for (int j = 0; j < g->n; j++) {
            float *c = &g->c[i * g->ldc + j];
            if (g->factors) {
                *c = factors_apply(g->factors, i, j, chain(g, i, j, 0, g->k, 0), g->first ? 0 : *c);
                continue;
            }
            for (int p = 0; p < g->k; p += longest) {
                const int k = g->k - p < longest ? g->k - p : longest;
                const bool first = g->first && p == 0, goes_on = !first && g->chain == 0;
                const float sum = chain(g, i, j, p, k, goes_on ? *c : 0);
                *c = first || goes_on ? sum : *c + sum;
            }
        }
}

const struct float_kernel float_toy = {.name = "toy", .needs = 0, .block = {[MMARN_F32] = block}};
