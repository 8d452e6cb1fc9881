/* SPDX-License-Identifier: MIT */
/*
 * quant.c - tests kernels for integer weights: int8 x int8 blocks against sums in 64 bits, expansion against
 * data_expand, int4 packing nibble by nibble. All sizes up to a few panels, odd depths, gaps between panels, extremes,
 * between guard pages.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "checkasm.h"
#include "gemm/kernel/kernels.h"

enum { MOST_M = 13, MOST_N = 70, MOST_K = 40 };
enum { SLOT_A, SLOT_B, SLOT_C, SLOT_SCALE, SLOT_OFFSET };

static enum data random_kind(void)
{
    return (enum data)random_int(0, DATA_KINDS - 1);
}

static int panels_of(int n)
{
    return (n + GEMM_NR - 1) / GEMM_NR;
}

/* -------------------------------------------------------------------------------------------------- int8 x int8 */

/*
 * Strides of B, whose first `skipped` rows are not part of the block: packed with or without gaps, or row-major with
 * rows of odd length. Returns the bytes of B.
 */
static size_t choose_b(struct i8_block *g, int skipped)
{
    const int panels = panels_of(g->n), k = skipped + g->k;
    g->k_stride = GEMM_NR + (!g->interleaved && random_bits() & 1 ? random_int(0, 5) : 0);
    g->panel_stride = k * g->k_stride + (random_bits() & 1 ? random_int(0, 9) : 0);
    if (!g->interleaved && random_bits() & 1) {
        g->panel_stride = GEMM_NR;
        g->k_stride = panels * GEMM_NR + random_int(0, 9);
    }
    return (size_t)((panels - 1) * g->panel_stride + (k - 1) * g->k_stride + GEMM_NR);
}

/* a and b: the block's data before their conversion to the kernel's form. */
static bool compare_i8(const struct i8_block *g, const int8_t *a, const int8_t *b, const int32_t *before)
{
    for (int i = 0; i < g->m; i++) {
        for (int j = 0; j < g->n; j++) {
            int64_t sum = g->first ? 0 : before[i * g->ldc + j];
            for (int p = 0; p < g->k; p++)
                sum += (int64_t)a[i * g->lda + p] * b[j / GEMM_NR * g->panel_stride + j % GEMM_NR + p * g->k_stride];
            if ((uint32_t)sum != (uint32_t)g->c[i * g->ldc + j])
                return false;
        }
        if (i + 1 < g->m && !guard_filled(g->c + i * g->ldc + g->n, (size_t)(g->ldc - g->n) * sizeof(int32_t)))
            return false;
    }
    return guard_intact(SLOT_C);
}

/* Puts elements of A between guard pages, widened if the kernel asks for it. */
static const void *place_left(const struct i8_kernel *kernel, const int8_t *narrow, size_t count)
{
    void *a = guard_place(SLOT_A, count * (kernel->x1 == I8_X1_WIDENED ? sizeof(int16_t) : sizeof(int8_t)),
                          random_bits() & 1);
    if (kernel->x1 == I8_X1_AS_IT_IS)
        memcpy(a, narrow, count);
    for (size_t i = 0; i < count && kernel->x1 == I8_X1_WIDENED; i++)
        ((int16_t *)a)[i] = narrow[i];
    return a;
}

/* Interleaves the k rows of each panel, in one run, or in two that part after the first few groups of rows. */
static void interleave(const struct i8_kernel *kernel, const struct i8_block *g, int8_t *b, int k)
{
    const int run = random_int(0, (k - 1) / I8_GROUP) * I8_GROUP;
    for (int panel = 0; kernel->interleave && panel < panels_of(g->n); panel++) {
        kernel->interleave(b + panel * g->panel_stride, run);
        kernel->interleave(b + panel * g->panel_stride + (ptrdiff_t)run * GEMM_NR, k - run);
    }
}

static void test_i8_block(const struct i8_kernel *kernel, int m, int n, int k)
{
    const enum data kind_a = random_kind(), kind_b = random_kind();
    const int skipped = random_bits() & 1 ? random_int(0, 3) * I8_GROUP : 0;
    struct i8_block g = {.m = m, .n = n, .k = k, .first = random_bits() & 1, .interleaved = random_bits() & 1};
    const size_t b_count = choose_b(&g, skipped);
    g.lda = k + random_int(0, 3);
    g.ldc = n + random_int(0, 3);
    const size_t a_count = (size_t)((m - 1) * g.lda + k), c_count = (size_t)((m - 1) * g.ldc + n);
    int8_t *b = guard_place(SLOT_B, b_count, random_bits() & 1);
    int8_t *left = malloc(a_count), *right = malloc(b_count);
    int32_t *before = malloc(c_count * sizeof *before);
    g.c = guard_place(SLOT_C, c_count * sizeof *g.c, random_bits() & 1);
    data_fill_int(kind_a, MMARN_I8, left, a_count);
    data_fill_int(kind_b, MMARN_I8, right, b_count);
    memcpy(b, right, b_count);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            g.c[i * g.ldc + j] = (int32_t)random_bits();
    memcpy(before, g.c, c_count * sizeof *before);
    if (g.interleaved)
        interleave(kernel, &g, b, skipped + k);
    g.a = place_left(kernel, left, a_count);
    g.b = b + skipped * g.k_stride;
    check_next("i8 %s: block m %d n %d k %d after %d, strides a %td, b %td and %td, c %td, first %d, interleaved %d, "
               "data %d and %d",
               kernel->name, m, n, k, skipped, g.lda, g.k_stride, g.panel_stride, g.ldc, g.first, g.interleaved,
               (int)kind_a, (int)kind_b);
    kernel->block(&g);
    check_this(compare_i8(&g, left, right + skipped * g.k_stride, before));
    free(right);
    free(left);
    free(before);
}

/* --------------------------------------------------------------------------------------- weights to be expanded */

/* Panels, scales and offsets of a run. Columns beyond n may hold anything. */
static void make_run(struct expand_run *run, int32_t dtype, int32_t x_dtype, enum data kind, int k, int n)
{
    const int panels = panels_of(n), columns = panels * GEMM_NR;
    const bool has_offset = random_bits() & 1;
    const ptrdiff_t panel = gemm_panel(dtype, k), stride = panel + random_int(0, 4) * GEMM_NR * GEMM_I4_ROWS;
    const size_t count = (size_t)((panels - 1) * stride + panel);
    void *b = guard_place(SLOT_B, (size_t)gemm_bytes(dtype, (int64_t)count), random_bits() & 1);
    float *scale = guard_place(SLOT_SCALE, (size_t)columns * sizeof *scale, random_bits() & 1);
    float *offset = guard_place(SLOT_OFFSET, (size_t)columns * sizeof *offset, random_bits() & 1);
    data_fill_int(random_bits() & 3 ? DATA_ORDINARY : random_kind(), dtype, b, count);
    /* What is not ordinary: the scales, the offsets, or both. */
    const int beyond = random_int(1, 3);
    data_fill_scales(beyond & 1 ? kind : DATA_ORDINARY, x_dtype, scale, (size_t)columns);
    data_fill_offsets(beyond & 2 ? kind : DATA_ORDINARY, x_dtype, offset, (size_t)columns);
    *run = (struct expand_run){
        .b = b, .panel_stride = stride, .scale = scale, .offset = has_offset ? offset : NULL, .n = n, .k = k};
}

static float expected_w(const struct expand_run *run, int32_t dtype, int32_t x_dtype, int p, int j)
{
    const size_t at = (size_t)(j / GEMM_NR * run->panel_stride) + data_place_in_panel(dtype, p, j % GEMM_NR);
    return data_expand(x_dtype, data_get_int(dtype, run->b, at), run->offset ? &run->offset[j] : NULL, run->scale[j]);
}

static void test_expand(const struct expand_kernel *kernel, int32_t dtype, int32_t x_dtype, int k, int n)
{
    const enum data kind = random_kind();
    const int panels = panels_of(n), gap = random_int(0, 5);
    const ptrdiff_t panel = (ptrdiff_t)k * GEMM_NR, stride = panel + gap;
    struct expand_run run;
    make_run(&run, dtype, x_dtype, kind, k, n);
    float *dst = guard_place(SLOT_C, (size_t)((panels - 1) * stride + panel) * sizeof *dst, random_bits() & 1);
    check_next("expand %s: expand %s to %s, k %d n %d, offset %d, data %d", kernel->name, dtype_name(dtype),
               dtype_name(x_dtype), k, n, run.offset != NULL, (int)kind);
    kernel->expand[dtype][x_dtype](&run, dst, stride);
    bool same = guard_intact(SLOT_C);
    for (int i = 0; i + 1 < panels; i++)
        same = same && guard_filled(dst + i * stride + panel, (size_t)gap * sizeof *dst);
    for (int j = 0; j < n; j++)
        for (int p = 0; p < k; p++) {
            const float w = expected_w(&run, dtype, x_dtype, p, j);
            const size_t at = (size_t)(j / GEMM_NR * stride + p * GEMM_NR + j % GEMM_NR);
            const bool zeros = x_dtype == MMARN_F16 && w == 0 && dst[at] == 0; /* of either sign */
            same = same && (zeros || data_same(MMARN_F32, &w, 0, dst, at));
        }
    check_this(same);
}

/* ------------------------------------------------------------------------------------------------- int4 packing */

static void test_pack4(const struct pack_kernel *kernel, bool nk, int k, int n)
{
    k += nk && k % 2;
    n += !nk && n % 2;
    const int length = nk ? k : n, ld = length + random_int(0, 4) * 2;
    const size_t count = (size_t)(nk ? n - 1 : k - 1) * (size_t)ld + (size_t)length;
    void *src = guard_place(SLOT_A, count / 2, random_bits() & 1);
    const size_t panel = (size_t)gemm_panel(MMARN_I4, k);
    void *dst = guard_place(SLOT_C, (size_t)panels_of(n) * panel / 2, random_bits() & 1);
    data_fill_int(DATA_ORDINARY, MMARN_I4, src, count);
    check_next("pack %s: %s i4 k %d n %d ld %d", kernel->name, nk ? "nk" : "kn", k, n, ld);
    (nk ? kernel->nk : kernel->kn)[MMARN_I4](src, ld, k, n, dst);
    bool same = guard_intact(SLOT_C);
    for (int j = 0; j < panels_of(n) * GEMM_NR; j++)
        for (int p = 0; p < (k + GEMM_I4_ROWS - 1) / GEMM_I4_ROWS * GEMM_I4_ROWS; p++) {
            int at = nk ? j * ld + p : p * ld + j;
            int expected = j < n && p < k ? data_get_int(MMARN_I4, src, (size_t)at) : 0;
            size_t place = (size_t)(j / GEMM_NR) * panel + data_place_in_panel(MMARN_I4, p, j % GEMM_NR);
            same = same && data_get_int(MMARN_I4, dst, place) == expected;
        }
    check_this(same);
}

/* ---------------------------------------------------------------------------------------------------------- all */

static void test_i8(const struct i8_kernel *kernel)
{
    for (int m = 1; m <= MOST_M; m++)
        for (int other = 1; other <= MOST_N; other++) {
            test_i8_block(kernel, m, other, random_int(1, MOST_K));
            test_i8_block(kernel, m, random_int(1, MOST_N), other);
        }
    for (int n = 1; n <= MOST_N; n++)
        for (int k = 1; k <= MOST_K; k++)
            test_i8_block(kernel, random_int(1, MOST_M), n, k);
    /* More rows than any kernel takes at once. */
    test_i8_block(kernel, 101, 40, 70);
    test_i8_block(kernel, 230, 17, 7);
    /* Sums beyond 2^31: 2^14 * 2^17 of them. */
    test_i8_block(kernel, 1, 16, (1 << 17) + 3);
}

static void test_entry(const struct expand_kernel *kernel, int32_t dtype, int32_t x_dtype)
{
    if (!kernel->expand[dtype][x_dtype])
        return;
    for (int n = 1; n <= MOST_N; n++)
        for (int k = 1; k <= MOST_K; k++)
            test_expand(kernel, dtype, x_dtype, k, n);
    test_expand(kernel, dtype, x_dtype, 501, 150);
}

void test_quant(void)
{
    for (int i = 0; i8_kernels[i]; i++)
        if (check_kernel("i8", i8_kernels[i]->name, i8_kernels[i]->needs) && i8_kernels[i]->block)
            test_i8(i8_kernels[i]);
    for (int i = 0; expand_kernels[i]; i++)
        if (check_kernel("expand", expand_kernels[i]->name, expand_kernels[i]->needs))
            for (int32_t x_dtype = MMARN_F16; x_dtype <= MMARN_F32; x_dtype++) {
                test_entry(expand_kernels[i], MMARN_I8, x_dtype);
                test_entry(expand_kernels[i], MMARN_I4, x_dtype);
            }
    for (int i = 0; pack_kernels[i]; i++)
        if (check_kernel("pack4", pack_kernels[i]->name, pack_kernels[i]->needs))
            for (int n = 1; n <= MOST_N && pack_kernels[i]->kn[MMARN_I4] && pack_kernels[i]->nk[MMARN_I4]; n++)
                for (int k = 1; k <= MOST_N; k++) {
                    test_pack4(pack_kernels[i], false, k, n);
                    test_pack4(pack_kernels[i], true, k, n);
                }
}
