/* SPDX-License-Identifier: MIT */
/*
 * bf16_ref.c - the definition of what surrounds the kernels for pairs of bf16. They have no plain block: without
 * instructions for pairs, fp32 computes the chain over the same panels faster.
 */
#include <string.h>

#include "gemm/kernel/bf16_kernel.h"

enum { NONE = 512 /* every number is zero */, MAGNITUDE = 0x7fff, FRACTION_BITS = 7 };

static unsigned min_exponent(const uint32_t *pairs, ptrdiff_t count)
{
    unsigned low = NONE;
    for (ptrdiff_t i = 0; i < 2 * count; i++) {
        const unsigned magnitude = pairs[i / 2] >> (i % 2 * 16) & MAGNITUDE, field = magnitude >> FRACTION_BITS;
        if (magnitude && field < low)
            low = field;
    }
    return low;
}

static void pair(const float *rows, int k, uint32_t *pairs)
{
    for (int i = 0; i < (k + 1) / 2 * GEMM_NR; i++) {
        const int p = i / GEMM_NR * 2, j = i % GEMM_NR;
        uint32_t first, second = 0;
        memcpy(&first, &rows[p * GEMM_NR + j], sizeof first);
        if (p + 1 < k)
            memcpy(&second, &rows[(p + 1) * GEMM_NR + j], sizeof second);
        pairs[i] = (first & 0xffff0000) | second >> 16;
    }
}

const struct bf16_kernel bf16_ref = {.name = "ref", .needs = 0, .min_exponent = min_exponent, .pair = pair};
