/* SPDX-License-Identifier: MIT */
/*
 * float.c - compares the matmul kernels' blocks with a triple loop, and the packing functions element by element.
 * Sizes: every pair of rows and columns, of rows and depth, and of columns and depth, with the third at random. Both
 * layouts of B; odd strides; everything between guard pages, with poison in the gaps between rows.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "checkasm.h"
#include "factors.h"
#include "gemm/kernel/kernels.h"

enum { MOST_M = 13, MOST = 70 };
enum { SLOT_A, SLOT_B, SLOT_C };

static size_t panels_of(int n)
{
    return (size_t)((n + GEMM_NR - 1) / GEMM_NR);
}

/* The index of row p, column j in a panel of k rows. */
static ptrdiff_t place_in_panel(int32_t dtype, int p, int j)
{
    return dtype == MMARN_BF16 ? (p / 2 * GEMM_NR + j) * 2 + 1 - p % 2 : p * GEMM_NR + j;
}

/* Strides of B: panels, with or without gaps between rows or panels, or row-major with rows of odd length. */
static size_t choose_b(struct float_block *g, int32_t dtype)
{
    const ptrdiff_t panels = (ptrdiff_t)panels_of(g->n);
    g->paired = random_bits() & 1;
    if (g->paired) {
        g->k_stride = GEMM_NR;
        g->panel_stride = gemm_panel(dtype, g->k) + (random_bits() & 1 ? random_int(0, 9) * 2 : 0);
        return (size_t)((panels - 1) * g->panel_stride + gemm_panel(dtype, g->k));
    }
    if (random_bits() & 1) {
        g->k_stride = GEMM_NR + (random_bits() & 1 ? random_int(0, 5) : 0);
        g->panel_stride = g->k * g->k_stride + (random_bits() & 1 ? random_int(0, 9) : 0);
    } else {
        g->panel_stride = GEMM_NR;
        g->k_stride = panels * GEMM_NR + random_int(0, 9);
    }
    return (size_t)((panels - 1) * g->panel_stride + (g->k - 1) * g->k_stride + GEMM_NR);
}

static float expected_at(const struct float_block *g, int32_t dtype, const float *c_before, int i, int j)
{
    const ptrdiff_t panel = j / GEMM_NR * g->panel_stride;
    const float before = g->first ? 0.0F : c_before[i * g->ldc + j];
    float total = before, sum = g->chain || g->factors ? 0.0F : before;
    for (int p = 0; p < g->k; p++) {
        const ptrdiff_t place = g->paired ? place_in_panel(dtype, p, j % GEMM_NR) : p * g->k_stride + j % GEMM_NR;
        sum = fmaf(g->a[i * g->lda + p], data_get(dtype, g->b, (size_t)(panel + place)), sum);
        if (g->chain && ((p + 1) % g->chain == 0 || p + 1 == g->k)) {
            total = g->first && p < g->chain ? sum : total + sum;
            sum = 0.0F;
        }
    }
    if (g->factors)
        return factors_expect(g->factors, i, j, sum, before);
    return g->chain ? total : sum;
}

static bool compare_c(const struct float_block *g, int32_t dtype, const float *c_before)
{
    for (int i = 0; i < g->m; i++) {
        for (int j = 0; j < g->n; j++) {
            float expected = expected_at(g, dtype, c_before, i, j);
            if (!data_same(MMARN_F32, &expected, 0, g->c, (size_t)(i * g->ldc + j)))
                return false;
        }
        if (i + 1 < g->m && !guard_filled(g->c + i * g->ldc + g->n, (size_t)(g->ldc - g->n) * sizeof(float)))
            return false;
    }
    return guard_intact(SLOT_C);
}

static void test_block(const struct float_kernel *kernel, int32_t dtype, int m, int n, int k)
{
    const enum data kind = (enum data)random_int(0, DATA_KINDS - 1);
    struct float_block g = {.m = m, .n = n, .k = k, .first = random_bits() & 1};
    const size_t b_count = choose_b(&g, dtype);
    const struct gemm_factors factors = factors_make(kind, kind, kind, m, n);
    if (dtype == MMARN_F32 && random_bits() % 3 == 0)
        g.factors = &factors;
    else if (dtype != MMARN_BF16 && random_bits() & 1)
        g.chain = random_bits() & 1 ? random_int(1, k + 1) : GEMM_CHAIN;
    g.lda = k + random_int(0, 3);
    g.ldc = n + random_int(0, 3);
    const size_t a_count = (size_t)((m - 1) * g.lda + k), c_count = (size_t)((m - 1) * g.ldc + n);
    float *a = guard_place(SLOT_A, a_count * sizeof(float), random_bits() & 1);
    void *b = guard_place(SLOT_B, b_count * dtype_size(dtype), random_bits() & 1);
    g.c = guard_place(SLOT_C, c_count * sizeof(float), random_bits() & 1);
    data_fill(kind, dtype, b, b_count);
    data_fill(kind, MMARN_F32, a, a_count);
    for (int i = 0; i < m; i++)
        data_fill(kind, MMARN_F32, g.c + i * g.ldc, (size_t)n);
    float *before = malloc(c_count * sizeof(float));
    memcpy(before, g.c, c_count * sizeof(float));
    g.a = a;
    g.b = b;
    check_next(
        "float %s: block %s m %d n %d k %d, strides a %td, b %td and %td, c %td, chain %d, factors %d, first %d, "
        "paired %d, data %d",
        kernel->name, dtype_name(dtype), m, n, k, g.lda, g.k_stride, g.panel_stride, g.ldc, g.chain, g.factors != NULL,
        g.first, g.paired, (int)kind);
    kernel->block[dtype](&g);
    check_this(compare_c(&g, dtype, before));
    free(before);
}

static bool compare_panels(int32_t dtype, const char *src, size_t k_step, size_t n_step, int k, int n, const char *dst)
{
    const size_t size = dtype_size(dtype), panel = (size_t)gemm_panel(dtype, k);
    static const char zeros[sizeof(float)];
    for (size_t j = 0; j < panels_of(n) * GEMM_NR; j++)
        for (size_t p = 0; p < panel / GEMM_NR; p++) {
            const char *expected = j < (size_t)n && p < (size_t)k ? src + (p * k_step + j * n_step) * size : zeros;
            size_t at = j / GEMM_NR * panel + (size_t)place_in_panel(dtype, (int)p, (int)(j % GEMM_NR));
            if (memcmp(dst + at * size, expected, size) != 0)
                return false;
        }
    return true;
}

static void test_pack(const struct pack_kernel *kernel, int32_t dtype, bool nk, int k, int n)
{
    const size_t size = dtype_size(dtype);
    const int length = nk ? k : n, ld = length + random_int(0, 9);
    const size_t count = (size_t)(nk ? n - 1 : k - 1) * (size_t)ld + (size_t)length;
    char *src = guard_place(SLOT_A, count * size, random_bits() & 1);
    char *dst = guard_place(SLOT_C, panels_of(n) * (size_t)gemm_panel(dtype, k) * size, random_bits() & 1);
    for (size_t i = 0; i < count * size; i++)
        src[i] = (char)random_bits();
    check_next("pack %s: %s %s k %d n %d ld %d", kernel->name, nk ? "nk" : "kn", dtype_name(dtype), k, n, ld);
    (nk ? kernel->nk : kernel->kn)[dtype](src, ld, k, n, dst);
    bool same = compare_panels(dtype, src, nk ? 1 : (size_t)ld, nk ? (size_t)ld : 1, k, n, dst);
    check_this(same && guard_intact(SLOT_C));
}

/* m, n, k. */
static const int large[][3] = {{96, 80, 40}, {1, 512, 300}, {2, 500, 130}, {3, 333, 150}, {25, 130, 515}};

static void test_sizes(const struct float_kernel *kernel, int32_t dtype)
{
    for (int m = 1; m <= MOST_M; m++)
        for (int other = 1; other <= MOST; other++) {
            test_block(kernel, dtype, m, other, random_int(1, MOST));
            test_block(kernel, dtype, m, random_int(1, MOST), other);
        }
    for (int n = 1; n <= MOST; n++)
        for (int k = 1; k <= MOST; k++) {
            test_block(kernel, dtype, random_int(1, MOST_M), n, k);
        }
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++)
        test_block(kernel, dtype, large[i][0], large[i][1], large[i][2]);
}

/* For int8 only packing is tested here; its blocks, and int4, are in quant.c. */
static void test_packs(const struct pack_kernel *kernel, int32_t dtype)
{
    for (int n = 1; n <= MOST; n++)
        for (int k = 1; k <= MOST; k++) {
            test_pack(kernel, dtype, false, k, n);
            test_pack(kernel, dtype, true, k, n);
        }
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        test_pack(kernel, dtype, false, large[i][2], large[i][1]);
        test_pack(kernel, dtype, true, large[i][2], large[i][1]);
    }
}

void test_float(void)
{
    for (int i = 0; float_kernels[i]; i++)
        if (check_kernel("float", float_kernels[i]->name, float_kernels[i]->needs))
            for (int32_t dtype = MMARN_F16; dtype <= MMARN_F32; dtype++)
                if (float_kernels[i]->block[dtype])
                    test_sizes(float_kernels[i], dtype);
    for (int i = 0; pack_kernels[i]; i++)
        if (check_kernel("pack", pack_kernels[i]->name, pack_kernels[i]->needs))
            for (int32_t dtype = MMARN_F16; dtype <= MMARN_I8; dtype++)
                if (pack_kernels[i]->kn[dtype] && pack_kernels[i]->nk[dtype])
                    test_packs(pack_kernels[i], dtype);
}
