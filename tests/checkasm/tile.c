/*
 * tile.c - gemm_tile with the best kernel against a triple loop, to the bit: every type, layout and number of rows,
 * more than one block of k, ragged ends, tiles that begin and end anywhere in C, and a scratch that has seen other
 * tiles.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checkasm.h"
#include "gemm/gemm.h"

enum { SLOT_X1, SLOT_X2, SLOT_C };

struct problem {
    struct gemm_weights weights; /* borrowed */
    int rows, k, n;
    void *x1;
    float *product; /* rows x n */
};

static size_t x2_at(const struct gemm_weights *w, int p, int j)
{
    return w->layout == GEMM_KN ? (size_t)(p * w->ld + j) : (size_t)(j * w->ld + p);
}

static void multiply_row(const struct problem *q, int i)
{
    const int32_t dtype = q->weights.dtype;
    for (int j = 0; j < q->n; j++) {
        float sum = 0;
        for (int p = 0; p < q->k; p++)
            sum = fmaf(data_get(dtype, q->x1, (size_t)i * (size_t)q->k + (size_t)p),
                       data_get(dtype, q->weights.data, x2_at(&q->weights, p, j)), sum);
        q->product[(size_t)i * (size_t)q->n + (size_t)j] = sum;
    }
}

static void make(struct problem *q, int32_t dtype, enum gemm_layout layout, int rows, int k, int n)
{
    const enum data kind = (enum data)random_int(0, DATA_KINDS - 1);
    const int length = layout == GEMM_KN ? n : k, lines = layout == GEMM_KN ? k : n;
    const int ld = length + (random_bits() & 1 ? random_int(0, 9) : 0);
    const size_t count = (size_t)(lines - 1) * (size_t)ld + (size_t)length, size = dtype_size(dtype);
    void *x1 = guard_place(SLOT_X1, (size_t)rows * (size_t)k * size, random_bits() & 1);
    void *x2 = guard_place(SLOT_X2, count * size, random_bits() & 1);
    data_fill(kind, dtype, x1, (size_t)rows * (size_t)k);
    data_fill(kind, dtype, x2, count);
    *q = (struct problem){
        .weights = {.dtype = dtype, .layout = layout, .k = k, .n = n, .data = x2, .ld = ld},
        .rows = rows,
        .k = k,
        .n = n,
        .x1 = x1,
        .product = malloc((size_t)rows * (size_t)n * sizeof(float)),
    };
    for (int i = 0; i < rows; i++)
        multiply_row(q, i);
}

static void check_tile(const struct problem *q, const struct gemm_weights *weights, struct gemm_scratch *scratch,
                       int row, int m, int col, int n)
{
    const size_t ldc = (size_t)(n + random_int(0, 5));
    float *c = guard_place(SLOT_C, ((size_t)(m - 1) * ldc + (size_t)n) * sizeof(float), random_bits() & 1);
    gemm_tile(weights, scratch, q->x1, row, m, col, n, c, (ptrdiff_t)ldc);
    bool same = guard_intact(SLOT_C);
    for (size_t i = 0; i < (size_t)m; i++) {
        for (size_t j = 0; j < (size_t)n; j++)
            same = same && data_same(MMARN_F32, q->product, (size_t)(row + (int)i) * (size_t)q->n + (size_t)col + j, c,
                                     i * ldc + j);
        if (i + 1 < (size_t)m)
            same = same && guard_filled(c + i * ldc + n, (ldc - (size_t)n) * sizeof(float));
    }
    check(same, "tile: %s layout %d, x1 (%d, %d), x2 (%d, %d) ld %d, tile row %d m %d col %d n %d, ldc %zu",
          dtype_name(weights->dtype), (int)weights->layout, q->rows, q->k, q->k, q->n, (int)q->weights.ld, row, m, col,
          n, ldc);
}

/* The whole product; tiles in its middle; after a reset, another first row at the same address. */
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
    /* Only here is x1 written again: the scratch is told, and must notice. */
    data_fill(DATA_ORDINARY, weights->dtype, q->x1, (size_t)q->k);
    multiply_row(q, 0);
    gemm_scratch_reset(scratch);
    check_tile(q, weights, scratch, 0, 1, 0, q->n);
    gemm_scratch_destroy(scratch);
}

static void test_problem(int32_t dtype, enum gemm_layout layout, int rows, int k, int n)
{
    struct problem q;
    struct gemm_weights packed;
    make(&q, dtype, layout, rows, k, n);
    check_problem(&q, &q.weights);
    for (int threads = 1; threads <= 3; threads += 2) {
        if (!check(gemm_weights_pack(&q.weights, threads, &packed), "tile: no memory to pack"))
            continue;
        check_problem(&q, &packed);
        gemm_weights_free(&packed);
    }
    free(q.product);
}

void test_tile(void)
{
    static const int large[][3] = {{1, 4100, 70}, {8, 4200, 33},  {9, 1100, 150},
                                   {96, 520, 40}, {20, 515, 300}, {100, 1030, 33}};
    for (int32_t dtype = MMARN_F16; dtype < DTYPE_COUNT; dtype++)
        for (int layout = GEMM_KN; layout <= GEMM_NK; layout++) {
            for (int rows = 1; rows <= 14; rows++)
                for (int repeat = 0; repeat < 8; repeat++)
                    test_problem(dtype, (enum gemm_layout)layout, rows, random_int(1, 300), random_int(1, 150));
            for (size_t i = 0; i < sizeof large / sizeof large[0]; i++)
                test_problem(dtype, (enum gemm_layout)layout, large[i][0], large[i][1], large[i][2]);
        }
}
