/* SPDX-License-Identifier: MIT */
/*
 * bf16.c - compares kernels for pairs of bf16 with a loop of fmaf, on numbers whose products reach down to the smallest
 * normal one. It also checks when gemm_tile uses them: always on ordinary numbers, and never where a subnormal number
 * can arise, either one binade lower or left over from an earlier block of k. A kernel that counts its calls wraps the
 * real one.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/dtype.h"
#include "checkasm.h"
#include "factors.h"
#include "gemm/tile.h"

enum { MOST_M = 13, MOST = 70 };
enum { SLOT_A, SLOT_B, SLOT_C };
enum { LOWEST_SUM = 142 /* of two exponent fields whose products stay normal */ };

static float value_of(uint32_t pairs, bool lower)
{
    const uint16_t halves[2] = {(uint16_t)(pairs >> 16), (uint16_t)pairs};
    return data_get(MMARN_BF16, halves, lower);
}

/*
 * A bf16 whose exponent field is `lowest` or above: often exactly that, or zero; with hostile, sometimes a NaN or an
 * infinity.
 */
static uint16_t number(int lowest, bool hostile)
{
    const uint16_t fraction = (uint16_t)random_int(0, 127), sign = (uint16_t)(random_bits() & 0x8000);
    switch (random_int(0, hostile ? 40 : 3)) {
    case 0:
        return sign;
    case 1:
    case 2:
        return (uint16_t)(sign | lowest << 7 | fraction);
    case 40:
        return (uint16_t)(sign | 0x7f80 | (random_bits() & 1 ? fraction : 0));
    default:
        return (uint16_t)(sign | random_int(lowest, 254) << 7 | fraction);
    }
}

static void fill(uint32_t *pairs, size_t count, int lowest, bool hostile)
{
    for (size_t i = 0; i < count; i++)
        pairs[i] = (uint32_t)number(lowest, hostile) << 16 | number(lowest, hostile);
}

static float add(float sum, uint32_t a, uint32_t b)
{
    sum = fmaf(value_of(a, false), value_of(b, false), sum);
    return fmaf(value_of(a, true), value_of(b, true), sum);
}

static float expected_at(const struct bf16_block *g, const float *before, int i, int j)
{
    const struct gemm_factors *f = g->factors;
    const float start = g->first ? 0.0F : before[i * g->ldc + j];
    float sum = f ? 0.0F : start;
    for (int q = 0; q < g->k; q++)
        sum = add(sum, g->a[i * g->lda + q], g->b[j / GEMM_NR * g->panel_stride + q * GEMM_NR + j % GEMM_NR]);
    return f ? factors_expect(f, i, j, sum, start) : sum;
}

static bool compare_c(const struct bf16_block *g, const float *before)
{
    for (int i = 0; i < g->m; i++) {
        for (int j = 0; j < g->n; j++) {
            const float expected = expected_at(g, before, i, j);
            if (!data_same(MMARN_F32, &expected, 0, g->c, (size_t)(i * g->ldc + j)))
                return false;
        }
        if (i + 1 < g->m && !guard_filled(g->c + i * g->ldc + g->n, (size_t)(g->ldc - g->n) * sizeof(float)))
            return false;
    }
    return guard_intact(SLOT_C);
}

static void test_block(const struct bf16_kernel *kernel, int m, int n, int k)
{
    const int panels = (n + GEMM_NR - 1) / GEMM_NR, lowest_a = random_int(1, LOWEST_SUM - 1);
    const int lowest_b = LOWEST_SUM - lowest_a;
    const bool hostile = random_bits() & 1;
    struct bf16_block g = {.m = m, .n = n, .k = k, .first = random_bits() & 1};
    g.lda = k + random_int(0, 3);
    g.ldc = n + random_int(0, 3);
    g.panel_stride = k * GEMM_NR + (random_bits() & 1 ? random_int(0, 9) : 0);
    const size_t a_count = (size_t)((m - 1) * g.lda + k), c_count = (size_t)((m - 1) * g.ldc + n);
    const size_t b_count = (size_t)((panels - 1) * g.panel_stride + k * GEMM_NR);
    uint32_t *a = guard_place(SLOT_A, a_count * sizeof *a, random_bits() & 1), left[2];
    uint32_t *b = guard_place(SLOT_B, b_count * sizeof *b, random_bits() & 1), right[2];
    float *before = malloc(c_count * sizeof *before);
    g.c = guard_place(SLOT_C, c_count * sizeof *g.c, random_bits() & 1);
    fill(a, a_count, lowest_a, hostile);
    fill(b, b_count, lowest_b, hostile);
    for (size_t i = 0; i < c_count; i++)
        if ((ptrdiff_t)i % g.ldc < n) { /* the result of another such chain */
            fill(left, 2, lowest_a, hostile);
            fill(right, 2, lowest_b, hostile);
            g.c[i] = add(add(0.0F, left[0], right[0]), left[1], right[1]);
        }
    memcpy(before, g.c, c_count * sizeof *before);
    g.a = a;
    g.b = b;
    const struct gemm_factors factors = factors_make(DATA_EXTREME, DATA_EXTREME, DATA_EXTREME, m, n);
    g.factors = random_bits() & 1 ? &factors : NULL;
    check_next("bf16 %s: block m %d n %d k %d, strides a %td, b %td, c %td, first %d, fields %d and %d", kernel->name,
               m, n, k, g.lda, g.panel_stride, g.ldc, g.first, lowest_a, lowest_b);
    kernel->block(&g);
    check_this(compare_c(&g, before));
    free(before);
}

static void test_min_exponent(const struct bf16_kernel *kernel, int count)
{
    const enum data kind = (enum data)random_int(0, DATA_KINDS - 1);
    const int zeros = random_int(0, 3);
    uint32_t *pairs = guard_place(SLOT_A, (size_t)count * sizeof *pairs, random_bits() & 1);
    unsigned expected = 512;
    if (zeros == 0)
        memset(pairs, 0, (size_t)count * sizeof *pairs);
    else if (zeros == 1)
        fill(pairs, (size_t)count, random_int(1, 254), false);
    else
        data_fill(kind, MMARN_BF16, pairs, 2 * (size_t)count);
    for (int i = 0; i < 2 * count; i++) {
        const unsigned magnitude = pairs[i / 2] >> (i % 2 * 16) & 0x7fff;
        expected = magnitude && magnitude >> 7 < expected ? magnitude >> 7 : expected;
    }
    const unsigned found = kernel->min_exponent(pairs, count);
    check(found == expected, "bf16 %s: min_exponent of %d pairs: %u instead of %u", kernel->name, count, found,
          expected);
}

static void test_pair(const struct bf16_kernel *kernel, int k)
{
    const size_t places = (size_t)(k + 1) / 2 * GEMM_NR;
    float *rows = guard_place(SLOT_A, (size_t)k * GEMM_NR * sizeof *rows, random_bits() & 1);
    uint32_t *pairs = guard_place(SLOT_C, places * sizeof *pairs, random_bits() & 1);
    bool same = true;
    for (int i = 0; i < k * GEMM_NR; i++) {
        const uint32_t bits = (uint32_t)random_bits() << 16;
        memcpy(&rows[i], &bits, sizeof bits);
    }
    kernel->pair(rows, k, pairs);
    for (size_t i = 0; i < 2 * places; i++) {
        const size_t p = i / (2 * GEMM_NR) * 2 + i % 2, j = i / 2 % GEMM_NR;
        uint32_t bits = 0;
        if (p < (size_t)k)
            memcpy(&bits, &rows[p * GEMM_NR + j], sizeof bits);
        same = same && bits >> 16 == (i % 2 ? pairs[i / 2] & 0xffff : pairs[i / 2] >> 16);
    }
    check(same && guard_intact(SLOT_C), "bf16 %s: pair of %d rows", kernel->name, k);
}

/* ------------------------------------------------------------------------------------------ taken, or not taken? */

static int calls;

static void count_block(const struct bf16_block *block)
{
    calls++;
    gemm_kernels_best()->bf16.block(block);
}

/* Computes the tile; returns how many of its blocks the pair kernel computed. */
static int multiply(const struct gemm_weights *weights, const void *x1, int m, float *c)
{
    struct gemm_scratch *scratch = gemm_scratch_create();
    struct gemm_kernels counting = *gemm_kernels_best();
    calls = 0;
    if (!check(scratch != NULL, "bf16: no memory for scratch"))
        return 0;
    if (counting.bf16.block)
        counting.bf16.block = count_block;
    scratch->kernels = &counting;
    gemm_tile(weights, scratch, x1, 0, m, 0, (int)weights->n, c, (ptrdiff_t)weights->n);
    gemm_scratch_destroy(scratch);
    return calls;
}

static void test_ordinary(int32_t dtype, enum gemm_layout layout, int m)
{
    enum { K = 1100, N = 72 };
    struct gemm_weights packed, w = {.dtype = dtype, .x_dtype = MMARN_BF16, .layout = layout, .k = K, .n = N};
    void *x1 = guard_place(SLOT_A, (size_t)m * K * 2, true), *x2 = guard_place(SLOT_B, (size_t)K * N * 2, true);
    float *c = guard_place(SLOT_C, (size_t)m * N * sizeof *c, true), *scale = guard_place(SLOT_SCALE, 5 * 64, true);
    data_fill(DATA_ORDINARY, MMARN_BF16, x1, (size_t)m * K);
    if (dtype == MMARN_BF16)
        data_fill(DATA_ORDINARY, dtype, x2, (size_t)K * N);
    else
        data_fill_int(DATA_ORDINARY, dtype, x2, (size_t)K * N);
    data_fill_scales(DATA_ORDINARY, MMARN_BF16, scale, 80);
    w.data = x2;
    w.ld = layout == GEMM_KN ? N : K;
    w.group = K;
    w.scale_ld = 80;
    w.scale = scale;
    const bool has_kernel = gemm_kernels_best()->bf16.block;
    check((multiply(&w, x1, m, c) > 0) == has_kernel, "bf16: %s layout %d, %d rows: not by pairs", dtype_name(dtype),
          (int)layout, m);
    if (!check(gemm_weights_pack(&w, 2, &packed), "bf16: no memory to pack"))
        return;
    check((multiply(&packed, x1, m, c) > 0) == has_kernel, "bf16: %s packed, %d rows: not by pairs", dtype_name(dtype),
          m);
    gemm_weights_free(&packed);
}

/*
 * Every row of x1 and column of x2 is zero except rows `at` and at + 1 of k, where the two products differ by one unit
 * of the smallest grid that numbers with these exponent fields can have: 2^(sum - 268).
 */
static void test_grid(enum gemm_layout layout, int m, int k, int at, int sum)
{
    const int n = random_int(17, 40), field_a = random_int(1, LOWEST_SUM - 2), field_b = sum - field_a;
    const float unit_a = ldexpf(1, field_a - 127), unit_b = ldexpf(1, field_b - 127);
    const bool kn = layout != GEMM_NK, has_kernel = gemm_kernels_best()->bf16.block;
    uint16_t *x1 = calloc((size_t)m * (size_t)k, sizeof *x1), *x2 = calloc((size_t)k * (size_t)n, sizeof *x2);
    float *c = guard_place(SLOT_C, (size_t)m * (size_t)n * sizeof *c, true);
    struct gemm_weights packed = {0}, w = {.dtype = MMARN_BF16, .x_dtype = MMARN_BF16, .k = k, .n = n, .data = x2};
    w.layout = kn ? GEMM_KN : GEMM_NK;
    w.ld = kn ? n : k;
    for (int p = 0; p < 2; p++) {
        for (int i = 0; i < m; i++)
            data_set(MMARN_BF16, x1, (size_t)(i * k + at + p), p ? unit_a : unit_a * (1 + 0x1p-7F));
        for (int j = 0; j < n; j++)
            data_set(MMARN_BF16, x2, (size_t)(kn ? (at + p) * n + j : j * k + at + p),
                     p ? -unit_b * (1 + 0x1p-6F) : unit_b * (1 + 0x1p-7F));
    }
    if (layout == GEMM_PACKED && !check(gemm_weights_pack(&w, 1, &packed), "bf16: no memory to pack"))
        return;
    const int taken = multiply(layout == GEMM_PACKED ? &packed : &w, x1, m, c);
    const float expected = ldexpf(1, sum - 268);
    bool same = true;
    for (int i = 0; i < m * n; i++)
        same = same && data_same(MMARN_F32, &expected, 0, c, (size_t)i);
    check(same, "bf16: layout %d m %d k %d at %d, fields %d and %d: %a instead of %a", (int)layout, m, k, at, field_a,
          field_b, (double)c[0], (double)expected);
    check(sum < LOWEST_SUM ? at > 0 || taken == 0 : taken > 0 || !has_kernel,
          "bf16: layout %d m %d k %d at %d, fields %d and %d: %d blocks by pairs", (int)layout, m, k, at, field_a,
          field_b, taken);
    gemm_weights_free(&packed);
    free(x1);
    free(x2);
}

static void test_choice(void)
{
    check(!(cpu_features() & CPU_SLOW_PAIRS) || !gemm_kernels_best()->bf16.block, "bf16: pairs serve, but are slow");
    for (int layout = GEMM_KN; layout <= GEMM_NK; layout++)
        for (int m = 9; m <= 30; m += 7) {
            test_ordinary(MMARN_BF16, (enum gemm_layout)layout, m);
            test_ordinary(MMARN_I8, (enum gemm_layout)layout, m);
            test_ordinary(MMARN_I4, (enum gemm_layout)layout, m);
        }
    for (int layout = GEMM_KN; layout <= GEMM_PACKED; layout++)
        for (int sum = LOWEST_SUM - 1; sum <= LOWEST_SUM; sum++)
            for (int repeat = 0; repeat < 8; repeat++) {
                /* One block of k; the last of two; and the first of two, whose sums the second must keep. */
                test_grid((enum gemm_layout)layout, random_int(9, 20), random_int(2, 90), 0, sum);
                test_grid((enum gemm_layout)layout, random_int(9, 20), 1030, 1024, sum);
                test_grid((enum gemm_layout)layout, random_int(9, 20), 1030, 0, sum);
            }
    for (int m = 1; m <= 8; m++)
        for (int sum = LOWEST_SUM - 1; sum <= LOWEST_SUM; sum++)
            test_grid(GEMM_PACKED, m, 4100, 0, sum);
}

static void test_kernel(const struct bf16_kernel *kernel)
{
    for (int m = 1; m <= MOST_M; m++)
        for (int other = 1; other <= MOST; other++) {
            test_block(kernel, m, other, random_int(1, MOST));
            test_block(kernel, m, random_int(1, MOST), other);
        }
    for (int n = 1; n <= MOST; n++)
        for (int k = 1; k <= MOST; k++)
            test_block(kernel, random_int(1, MOST_M), n, k);
    test_block(kernel, 96, 80, 40);
    test_block(kernel, 2, 300, 130);
}

void test_bf16(void)
{
    for (int i = 0; bf16_kernels[i]; i++)
        if (check_kernel("bf16", bf16_kernels[i]->name, bf16_kernels[i]->needs)) {
            if (bf16_kernels[i]->block)
                test_kernel(bf16_kernels[i]);
            for (int count = 1; count <= 300 && bf16_kernels[i]->min_exponent; count++)
                test_min_exponent(bf16_kernels[i], count);
            for (int k = 1; k <= 300 && bf16_kernels[i]->pair; k++)
                test_pair(bf16_kernels[i], k);
        }
    if (check_kernel("bf16", "choice", 0))
        test_choice();
}
