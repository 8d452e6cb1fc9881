/* SPDX-License-Identifier: MIT */
/*
 * tile_x1.c - converts a block of x1 to the form that kernels read: fp32; int8, unchanged or widened; or pairs of bf16.
 * All tiles of the same rows share it, so each block is converted once for a row-block of the operator.
 */
#include <assert.h>
#include <limits.h>
#include <string.h>

#include "base/convert.h"
#include "gemm/tile.h"

/* Does `held` name the slice's block already? If not, it now does, and the caller must fill it. */
static bool claim(struct gemm_rows *held, const struct gemm_slice *t)
{
    if (held->x1 == t->x1 && held->row == t->row && held->k0 == t->k0 && held->k == t->k && held->m >= t->m)
        return true;
    *held = (struct gemm_rows){.x1 = t->x1, .row = t->row, .k0 = t->k0, .m = t->m, .k = t->k};
    return false;
}

int gemm_x1_bytes(const struct gemm_scratch *scratch, int32_t x_dtype)
{
    if (x_dtype != MMARN_I8)
        return sizeof(float);
    return scratch->kernels->i8.x1 == I8_X1_WIDENED ? sizeof(int16_t) : sizeof(int8_t);
}

static void convert_row(const struct gemm_scratch *scratch, int32_t dtype, const void *from, void *to, int k)
{
    if (dtype != MMARN_I8)
        convert_to_f32(dtype, from, to, (size_t)k);
    else if (scratch->kernels->i8.x1 == I8_X1_AS_IT_IS)
        memcpy(to, from, (size_t)k);
    else
        for (int i = 0; i < k; i++)
            ((int16_t *)to)[i] = ((const int8_t *)from)[i];
}

const void *gemm_slice_x1(const struct gemm_slice *t)
{
    struct gemm_scratch *scratch = t->scratch;
    const int32_t dtype = t->weights->x_dtype;
    const ptrdiff_t row_bytes = t->lda * gemm_x1_bytes(scratch, dtype);
    assert(t->m <= GEMM_MOST_ROWS && t->lda >= t->k);
    if (claim(&scratch->converted, t))
        return scratch->x1;
    for (int i = 0; i < t->m; i++) {
        const void *from = (const char *)t->x1 + gemm_bytes(dtype, (t->row + i) * t->weights->k + t->k0);
        convert_row(scratch, dtype, from, (char *)scratch->x1 + i * row_bytes, t->k);
    }
    return scratch->x1;
}

unsigned gemm_slice_pairs(const struct gemm_slice *t)
{
    struct gemm_scratch *scratch = t->scratch;
    const int whole = t->k / 2, k = (t->k + 1) / 2;
    assert(t->weights->x_dtype == MMARN_BF16 && t->m <= GEMM_MOST_ROWS && t->lda % 2 == 0);
    if (claim(&scratch->paired, t))
        return scratch->pairs_min_exponent;
    scratch->pairs_min_exponent = UINT_MAX;
    for (int i = 0; i < t->m; i++) {
        const uint16_t *from = (const uint16_t *)t->x1 + (t->row + i) * t->weights->k + t->k0;
        uint32_t *to = scratch->pairs + i * t->lda / 2;
        for (int q = 0; q < whole; q++)
            to[q] = (uint32_t)from[2 * q] << 16 | from[2 * q + 1];
        if (whole < k)
            to[whole] = (uint32_t)from[2 * whole] << 16;
        const unsigned least = scratch->kernels->bf16.min_exponent(to, k);
        scratch->pairs_min_exponent = least < scratch->pairs_min_exponent ? least : scratch->pairs_min_exponent;
    }
    return scratch->pairs_min_exponent;
}

/* Lane l of 32 adds every 32nd number from the l-th on; the lanes are then folded. */
static float sum_run(const float *x, int k)
{
    enum { LANES = 32 };
    float lane[LANES] = {0};
    int p = 0;
    for (; p + LANES <= k; p += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += x[p + l];
    for (int l = 0; p + l < k; l++)
        lane[l] += x[p + l];
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

const float *gemm_slice_sums(const struct gemm_slice *t, int p)
{
    struct gemm_scratch *scratch = t->scratch;
    const float *x1 = gemm_slice_x1(t);
    assert(p % GEMM_GROUP == 0 && p / GEMM_GROUP < GEMM_MOST_RUNS);
    if (!claim(&scratch->summed, t))
        for (int from = 0, k; from < t->k; from += k) {
            k = gemm_run_k(t->weights, t->k0 + from, t->k - from);
            for (int i = 0; i < t->m; i++)
                scratch->sums[from / GEMM_GROUP * GEMM_MOST_ROWS + i] = sum_run(x1 + i * t->lda + from, k);
        }
    return scratch->sums + p / GEMM_GROUP * GEMM_MOST_ROWS;
}
