/* SPDX-License-Identifier: MIT */
/*
 * tile.c - compares gemm_tile with the best kernels with a triple loop, to the bit: every pair of types, layout and
 * number of rows, more than one block of k, groups of every length, ragged ends, tiles that begin and end anywhere in
 * C, and a scratch that has been used for other tiles. Also gemm_dequantise.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checkasm.h"
#include "gemm/gemm.h"

enum { SLOT_X1, SLOT_X2, SLOT_C, SLOT_SCALE, SLOT_OFFSET };

struct problem {
    struct gemm_weights weights; /* borrowed */
    int rows, k, n;
    void *x1;
    float *x2;      /* k x n: the weights themselves; expanded if they are rounded, else integers */
    float *product; /* rows x n; int32 for int8 x int8 */
};

static bool is_integer(const struct gemm_weights *w)
{
    return w->x_dtype == MMARN_I8;
}

static float weight_at(const struct gemm_weights *w, int p, int j)
{
    const size_t at = w->layout == GEMM_KN ? (size_t)(p * w->ld + j) : (size_t)(j * w->ld + p);
    if (dtype_is_float(w->dtype))
        return data_get(w->dtype, w->data, at);
    const int q = data_get_int(w->dtype, w->data, at);
    if (is_integer(w))
        return (float)q;
    if (!w->rounded)
        return (float)q;
    const int64_t values = p / w->group * w->scale_ld + j;
    return data_expand(w->x_dtype, q, w->offset ? &w->offset[values] : NULL, w->scale[values]);
}

/* Element j of a row of x1 times x2: one chain, or for f16 and f32 weights one for every 512 rows of k. */
static float sum_chains(const struct problem *q, size_t first, size_t j)
{
    const int32_t dtype = q->weights.dtype;
    const size_t k = (size_t)q->k, chain = dtype == MMARN_F16 || dtype == MMARN_F32 ? 512 : k;
    float total = 0;
    for (size_t p0 = 0; p0 < k; p0 += chain) {
        float sum = 0;
        for (size_t p = p0; p < k && p < p0 + chain; p++)
            sum = fmaf(data_get(q->weights.x_dtype, q->x1, first + p), q->x2[p * (size_t)q->n + j], sum);
        total = p0 == 0 ? sum : total + sum;
    }
    return total;
}

/* The sum of rows first .. last of x1 from p on: in 32 lanes, which are then folded. */
static float sum_lanes(const struct problem *q, size_t p, size_t last)
{
    float lane[32] = {0};
    for (size_t l = 0; p + l < last; l++)
        lane[l % 32] += data_get(q->weights.x_dtype, q->x1, p + l);
    for (int half = 16; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

/* The same for integers: a chain for each run of k, which ends with its group and at every 512 rows. */
static float sum_runs(const struct problem *q, size_t first, size_t j)
{
    const struct gemm_weights *w = &q->weights;
    const size_t k = (size_t)q->k, group = (size_t)w->group;
    float total = 0;
    for (size_t p = 0, last; p < k; p = last) {
        float sum = 0;
        const size_t values = p / group * (size_t)w->scale_ld + j;
        for (last = p; last < k && (last == p || (last % group && last % 512)); last++)
            sum = fmaf(data_get(w->x_dtype, q->x1, first + last), q->x2[last * (size_t)q->n + j], sum);
        if (w->offset)
            sum = fmaf(w->offset[values], sum_lanes(q, first + p, first + last), sum);
        total = fmaf(w->scale[values], sum, total);
    }
    return total;
}

static bool is_factored(const struct gemm_weights *w)
{
    return w->dtype != w->x_dtype && !w->rounded;
}

static void multiply_row(const struct problem *q, int i)
{
    const size_t n = (size_t)q->n, first = (size_t)i * (size_t)q->k;
    for (size_t j = 0; j < n; j++) {
        int64_t whole = 0;
        for (size_t p = 0; p < (size_t)q->k && is_integer(&q->weights); p++)
            whole += data_get_int(MMARN_I8, q->x1, first + p) * (int64_t)q->x2[p * n + j];
        const uint32_t low = (uint32_t)whole;
        const float sum = is_integer(&q->weights)    ? 0
                          : is_factored(&q->weights) ? sum_runs(q, first, j)
                                                     : sum_chains(q, first, j);
        memcpy(&q->product[(size_t)i * n + j], is_integer(&q->weights) ? (const void *)&low : &sum, sizeof sum);
    }
}

static void fill(enum data kind, int32_t dtype, void *dst, size_t count)
{
    if (dtype_is_float(dtype))
        data_fill(kind, dtype, dst, count);
    else
        data_fill_int(kind, dtype, dst, count);
}

/* Scales and offsets of one group, or of many, of which the last is short. */
static void make_scales(struct gemm_weights *w)
{
    const enum data kind = random_bits() & 1 ? DATA_ORDINARY : (enum data)random_int(0, DATA_KINDS - 1);
    w->rounded = random_bits() & 1;
    w->group = random_bits() & 1 || w->k <= 32 ? w->k : random_int(1, (int)(w->k - 1) / 32) * 32;
    w->scale_ld = (w->n + GEMM_NR - 1) / GEMM_NR * GEMM_NR;
    const size_t count = (size_t)((w->k + w->group - 1) / w->group * w->scale_ld), bytes = count * sizeof(float);
    float *scale = guard_place(SLOT_SCALE, bytes, random_bits() & 1);
    float *offset = guard_place(SLOT_OFFSET, bytes, random_bits() & 1);
    data_fill_scales(kind, w->x_dtype, scale, count);
    data_fill_offsets(kind, w->x_dtype, offset, count);
    for (size_t i = 0; i < count; i++)
        if ((int64_t)i % w->scale_ld >= w->n)
            scale[i] = offset[i] = 0;
    w->scale = scale;
    w->offset = random_bits() & 1 ? offset : NULL;
}

static void make(struct problem *q, int32_t dtype, int32_t x_dtype, enum gemm_layout layout, int rows, int k, int n)
{
    const enum data kind = (enum data)random_int(0, DATA_KINDS - 1);
    const int even = dtype == MMARN_I4 ? 2 : 1;
    k += layout == GEMM_NK && k % even;
    n += layout == GEMM_KN && n % even;
    const int length = layout == GEMM_KN ? n : k, lines = layout == GEMM_KN ? k : n;
    const int ld = length + (random_bits() & 1 ? random_int(0, 9) * even : 0);
    const size_t count = (size_t)(lines - 1) * (size_t)ld + (size_t)length, x1_count = (size_t)rows * (size_t)k;
    void *x1 = guard_place(SLOT_X1, x1_count * dtype_size(x_dtype), random_bits() & 1);
    void *x2 = guard_place(SLOT_X2, (size_t)gemm_bytes(dtype, (int64_t)count), random_bits() & 1);
    fill(kind, x_dtype, x1, x1_count);
    fill(kind, dtype, x2, count);
    *q = (struct problem){
        .weights = {.dtype = dtype, .x_dtype = x_dtype, .layout = layout, .k = k, .n = n, .data = x2, .ld = ld},
        .rows = rows,
        .k = k,
        .n = n,
        .x1 = x1,
        .x2 = malloc((size_t)k * (size_t)n * sizeof(float)),
        .product = malloc((size_t)rows * (size_t)n * sizeof(float)),
    };
    if (dtype != x_dtype)
        make_scales(&q->weights);
    for (int p = 0; p < k; p++)
        for (int j = 0; j < n; j++)
            q->x2[(size_t)p * (size_t)n + (size_t)j] = weight_at(&q->weights, p, j);
    for (int i = 0; i < rows; i++)
        multiply_row(q, i);
}

/* Integers cannot both be NaN. */
static bool same_element(const struct problem *q, size_t at, const float *c, size_t at_c)
{
    return is_integer(&q->weights) ? memcmp(&q->product[at], &c[at_c], sizeof *c) == 0
                                   : data_same(MMARN_F32, q->product, at, c, at_c);
}

static void check_tile(const struct problem *q, const struct gemm_weights *weights, struct gemm_scratch *scratch,
                       int row, int m, int col, int n)
{
    const size_t ldc = (size_t)(n + random_int(0, 5));
    float *c = guard_place(SLOT_C, ((size_t)(m - 1) * ldc + (size_t)n) * sizeof(float), random_bits() & 1);
    check_next("tile: %s x %s layout %d group %d rounded %d, x1 (%d, %d), x2 (%d, %d) ld %d, tile row %d m %d col %d n "
               "%d, ldc %zu",
               dtype_name(weights->x_dtype), dtype_name(weights->dtype), (int)weights->layout, (int)weights->group,
               weights->rounded, q->rows, q->k, q->k, q->n, (int)q->weights.ld, row, m, col, n, ldc);
    gemm_tile(weights, scratch, q->x1, row, m, col, n, c, (ptrdiff_t)ldc);
    bool same = guard_intact(SLOT_C);
    for (size_t i = 0; i < (size_t)m; i++) {
        for (size_t j = 0; j < (size_t)n; j++)
            same = same && same_element(q, (size_t)(row + (int)i) * (size_t)q->n + (size_t)col + j, c, i * ldc + j);
        if (i + 1 < (size_t)m)
            same = same && guard_filled(c + i * ldc + n, (ldc - (size_t)n) * sizeof(float));
    }
    check_this(same);
}

/* Checks the whole product; tiles in its middle; after a reset, other values of x1 at the same address. */
static void check_problem(const struct problem *q, const struct gemm_weights *weights)
{
    struct gemm_scratch *scratch = gemm_scratch_create();
    if (!check(scratch != NULL, "tile: no memory for scratch"))
        return;
    check_tile(q, weights, scratch, 0, q->rows, 0, q->n);
    for (int i = 0; i < 3; i++) {
        int col = random_int(0, (q->n - 1) / GEMM_NR) * GEMM_NR, row = random_int(0, q->rows - 1);
        check_tile(q, weights, scratch, row, random_int(1, q->rows - row), col, random_int(1, q->n - col));
    }
    /* Only here is x1 overwritten: the scratch is reset, and must convert x1 again. */
    fill(DATA_ORDINARY, weights->x_dtype, q->x1, (size_t)q->k);
    multiply_row(q, 0);
    gemm_scratch_reset(scratch);
    check_tile(q, weights, scratch, 0, 1, 0, q->n);
    gemm_scratch_destroy(scratch);
}

static void test_problem(int32_t dtype, int32_t x_dtype, enum gemm_layout layout, int rows, int k, int n)
{
    struct problem q;
    struct gemm_weights packed;
    make(&q, dtype, x_dtype, layout, rows, k, n);
    check_problem(&q, &q.weights);
    for (int threads = 1; threads <= 3; threads += 2) {
        if (!check(gemm_weights_pack(&q.weights, threads, &packed), "tile: no memory to pack"))
            continue;
        check_problem(&q, &packed);
        gemm_weights_free(&packed);
    }
    free(q.x2);
    free(q.product);
}

static void test_pair(int32_t dtype, int32_t x_dtype)
{
    static const int large[][3] = {{1, 4100, 70}, {8, 4200, 33},  {9, 1100, 150},  {4, 2100, 90},
                                   {96, 520, 40}, {20, 515, 300}, {100, 1030, 33}, {9, 4103, 20}};
    for (int layout = GEMM_KN; layout <= GEMM_NK; layout++) {
        for (int rows = 1; rows <= 14; rows++)
            for (int repeat = 0; repeat < 8; repeat++)
                test_problem(dtype, x_dtype, (enum gemm_layout)layout, rows, random_int(1, 300), random_int(1, 150));
        for (size_t i = 0; i < sizeof large / sizeof large[0]; i++)
            test_problem(dtype, x_dtype, (enum gemm_layout)layout, large[i][0], large[i][1], large[i][2]);
    }
}

static void test_dequantise(int m, int n)
{
    const size_t ldc = (size_t)(n + random_int(0, 3)), count = (size_t)(m - 1) * ldc + (size_t)n;
    const bool has_bias = random_bits() & 1, has_rows = random_bits() & 1;
    float *c = guard_place(SLOT_C, count * sizeof *c, random_bits() & 1), *before = malloc(count * sizeof *before);
    int32_t *bias = guard_place(SLOT_X1, (size_t)n * sizeof *bias, random_bits() & 1);
    float *scale = guard_place(SLOT_SCALE, (size_t)n * sizeof *scale, random_bits() & 1);
    float *row_scale = guard_place(SLOT_OFFSET, (size_t)m * sizeof *row_scale, random_bits() & 1);
    for (int i = 0; i < m; i++)
        data_fill_int(DATA_ORDINARY, MMARN_I8, c + (size_t)i * ldc, (size_t)n * sizeof *c);
    data_fill_int(DATA_ORDINARY, MMARN_I8, bias, (size_t)n * sizeof *bias);
    data_fill((enum data)random_int(0, DATA_KINDS - 1), MMARN_F32, scale, (size_t)n);
    data_fill((enum data)random_int(0, DATA_KINDS - 1), MMARN_F32, row_scale, (size_t)m);
    memcpy(before, c, count * sizeof *before);
    gemm_dequantise(c, (ptrdiff_t)ldc, m, n, has_bias ? bias : NULL, scale, has_rows ? row_scale : NULL);
    bool same = guard_intact(SLOT_C);
    for (size_t i = 0; i < count; i++) {
        const size_t row = i / ldc, j = i % ldc;
        int32_t sum;
        memcpy(&sum, &before[i], sizeof sum);
        if (j < (size_t)n) {
            sum = (int32_t)(uint32_t)((int64_t)sum + (has_bias ? bias[j] : 0));
            before[i] = (float)sum * scale[j];
            before[i] *= has_rows ? row_scale[row] : 1.0F;
        }
        same = same && (j < (size_t)n ? data_same(MMARN_F32, before, i, c, i) : guard_filled(&c[i], sizeof *c));
    }
    check(same, "gemm_dequantise: m %d n %d ldc %zu, bias %d, row_scale %d", m, n, ldc, has_bias, has_rows);
    free(before);
}

void test_tile(void)
{
    if (!check_kernel("tile", "best", 0))
        return;
    for (int32_t x_dtype = MMARN_F16; x_dtype <= MMARN_F32; x_dtype++) {
        test_pair(x_dtype, x_dtype);
        test_pair(MMARN_I8, x_dtype);
        test_pair(MMARN_I4, x_dtype);
    }
    test_pair(MMARN_I8, MMARN_I8);
    for (int n = 1; n <= 80; n++)
        for (int m = 1; m <= 8; m++)
            test_dequantise(m, n);
}
