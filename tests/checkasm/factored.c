/* SPDX-License-Identifier: MIT */
/*
 * factored.c - tests the kernels that multiply floats with int8 or int4 weights, against a triple loop of fmaf over the
 * integers, and widening number by number. All sizes up to a few panels, every tail of k, gaps between panels,
 * extremes, between guard pages. Kernels for pairs of bf16 have x1 without numbers that are too small for them.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "checkasm.h"
#include "factors.h"
#include "gemm/kernel/kernels.h"

enum { MOST_M = 13, MOST_N = 150, MOST_K = 70 };
enum { SLOT_A, SLOT_B, SLOT_C };

static enum data random_kind(void)
{
    return (enum data)random_int(0, DATA_KINDS - 1);
}

static int panels_of(int n)
{
    return (n + GEMM_NR - 1) / GEMM_NR;
}

/* The panels of a block; columns beyond n may hold anything. */
static void make_panels(struct quant_block *g, int32_t dtype)
{
    const ptrdiff_t panel = gemm_panel(dtype, g->k);
    g->panel_stride = panel + random_int(0, 4) * GEMM_NR * GEMM_I4_ROWS;
    const ptrdiff_t count = (panels_of(g->n) - 1) * g->panel_stride + panel;
    void *b = guard_place(SLOT_B, (size_t)gemm_bytes(dtype, count), random_bits() & 1);
    data_fill_int(random_bits() & 3 ? DATA_ORDINARY : random_kind(), dtype, b, (size_t)count);
    g->b = b;
}

static float integer_at(const struct quant_block *g, int32_t dtype, int p, int j)
{
    const size_t panel = (size_t)(j / GEMM_NR * g->panel_stride);
    return (float)data_get_int(dtype, g->b, panel + data_place_in_panel(dtype, p, j % GEMM_NR));
}

/* x1 as fp32; lda is that of an array of fp32. */
static bool compare_c(const struct quant_block *g, int32_t dtype, const float *x1, const float *before)
{
    for (int i = 0; i < g->m; i++) {
        for (int j = 0; j < g->n; j++) {
            float sum = 0;
            for (int p = 0; p < g->k; p++)
                sum = fmaf(x1[i * g->k + p], integer_at(g, dtype, p, j), sum);
            const float expected = factors_expect(&g->factors, i, j, sum, g->first ? 0 : before[i * g->ldc + j]);
            if (!data_same(MMARN_F32, &expected, 0, g->c, (size_t)(i * g->ldc + j)))
                return false;
        }
        if (i + 1 < g->m && !guard_filled(g->c + i * g->ldc + g->n, (size_t)(g->ldc - g->n) * sizeof(float)))
            return false;
    }
    return guard_intact(SLOT_C);
}

/* Numbers of x1: for pairs bf16, whose exponent field is 15 or more. */
static void fill_x1(float *x1, size_t count, bool paired)
{
    enum { LEAST = 15 };
    const enum data kind = random_kind();
    data_fill(kind, MMARN_F32, x1, count);
    for (size_t i = 0; i < count && paired; i++) {
        uint32_t bits;
        memcpy(&bits, &x1[i], sizeof bits);
        bits &= (bits >> 23 & 0xff) < LEAST ? 0x80000000 : 0xffff0000;
        memcpy(&x1[i], &bits, sizeof bits);
    }
}

/* Puts x1 between guard pages in the form that the kernel reads. */
static void place_x1(struct quant_block *g, const float *x1, bool paired)
{
    const ptrdiff_t row = paired ? (g->k + 1) / 2 : g->k;
    g->lda = row + random_int(0, 3);
    char *a = guard_place(SLOT_A, (size_t)((g->m - 1) * g->lda + row) * sizeof(float), random_bits() & 1);
    for (int i = 0; i < g->m; i++)
        for (int p = 0; p < g->k; p += paired ? 2 : 1) {
            uint32_t bits[2] = {0};
            memcpy(bits, &x1[i * g->k + p], sizeof bits[0] * (paired && p + 1 < g->k ? 2 : 1));
            const uint32_t word = paired ? bits[0] | bits[1] >> 16 : bits[0];
            memcpy(a + (i * g->lda + p / (paired ? 2 : 1)) * (ptrdiff_t)sizeof word, &word, sizeof word);
        }
    g->a = a;
}

static void test_few(const struct quant_kernel *kernel, int32_t dtype, bool paired, int m, int n, int k)
{
    struct quant_block g = {.m = m, .n = n, .k = k, .ldc = n + random_int(0, 3), .first = random_bits() & 1};
    const size_t c_count = (size_t)((m - 1) * g.ldc + n);
    float *x1 = malloc((size_t)(m * k) * sizeof *x1), *before = malloc(c_count * sizeof *before);
    g.ahead = random_int(-5000, 5000);
    make_panels(&g, dtype);
    g.factors = factors_make(random_kind(), random_kind(), random_kind(), m, n);
    fill_x1(x1, (size_t)(m * k), paired);
    place_x1(&g, x1, paired);
    g.c = guard_place(SLOT_C, c_count * sizeof *g.c, random_bits() & 1);
    for (int i = 0; i < m; i++)
        data_fill(random_kind(), MMARN_F32, g.c + i * g.ldc, (size_t)n);
    memcpy(before, g.c, c_count * sizeof *before);
    check_next("quant %s: few%s %s m %d n %d k %d, strides %td, a %td, c %td, first %d, offset %d", kernel->name,
               paired ? "_pairs" : "", dtype_name(dtype), m, n, k, g.panel_stride, g.lda, g.ldc, g.first,
               g.factors.offset != NULL);
    (paired ? kernel->few_pairs : kernel->few)[dtype](&g);
    check_this(compare_c(&g, dtype, x1, before));
    free(x1);
    free(before);
}

static void test_widen(const struct quant_kernel *kernel, int32_t dtype, int n, int k)
{
    struct quant_block g = {.n = n, .k = k};
    const int panels = panels_of(n), gap = random_int(0, 5);
    const ptrdiff_t panel = (ptrdiff_t)k * GEMM_NR, stride = panel + gap;
    make_panels(&g, dtype);
    float *dst = guard_place(SLOT_C, (size_t)((panels - 1) * stride + panel) * sizeof *dst, random_bits() & 1);
    check_next("quant %s: widen %s n %d k %d", kernel->name, dtype_name(dtype), n, k);
    kernel->widen[dtype](g.b, g.panel_stride, k, n, dst, stride);
    bool same = guard_intact(SLOT_C);
    for (int i = 0; i + 1 < panels; i++)
        same = same && guard_filled(dst + i * stride + panel, (size_t)gap * sizeof *dst);
    for (int j = 0; j < n; j++)
        for (int p = 0; p < k; p++)
            same = same && dst[j / GEMM_NR * stride + p * GEMM_NR + j % GEMM_NR] == integer_at(&g, dtype, p, j);
    check_this(same);
}

static void test_sizes(const struct quant_kernel *kernel, int32_t dtype, bool paired)
{
    for (int m = 1; m <= MOST_M; m++) {
        for (int n = 1; n <= MOST_N; n++)
            test_few(kernel, dtype, paired, m, n, random_int(1, MOST_K));
        for (int k = 1; k <= MOST_K; k++)
            test_few(kernel, dtype, paired, m, random_int(1, MOST_N), k);
    }
    test_few(kernel, dtype, paired, 3, 300, 501);
}

static void test_kernel(const struct quant_kernel *kernel, int32_t dtype)
{
    if (kernel->few[dtype])
        test_sizes(kernel, dtype, false);
    if (kernel->few_pairs[dtype])
        test_sizes(kernel, dtype, true);
    for (int n = 1; n <= 40 && kernel->widen[dtype]; n++)
        for (int k = 1; k <= MOST_K; k++)
            test_widen(kernel, dtype, n, k);
}

void test_factored(void)
{
    for (int i = 0; quant_kernels[i]; i++)
        if (check_kernel("quant", quant_kernels[i]->name, quant_kernels[i]->needs)) {
            test_kernel(quant_kernels[i], MMARN_I8);
            test_kernel(quant_kernels[i], MMARN_I4);
        }
}
