/* SPDX-License-Identifier: MIT */
/*
 * pack_ref.c - the definition of packing. It moves elements by size alone, so types of one size share it, except for
 * types whose rows lie in pairs.
 */
#include <string.h>

#include "gemm/kernel/pack_kernel.h"

static void pack(size_t size, const char *src, ptrdiff_t k_step, ptrdiff_t n_step, int k, int n, char *dst)
{
    for (int j0 = 0; j0 < n; j0 += GEMM_NR)
        for (int p = 0; p < k; p++)
            for (int j = j0; j < j0 + GEMM_NR; j++, dst += size) {
                if (j < n)
                    memcpy(dst, src + (p * k_step + j * n_step) * (ptrdiff_t)size, size);
                else
                    memset(dst, 0, size);
            }
}

static void pack_bf16(const uint16_t *src, ptrdiff_t k_step, ptrdiff_t n_step, int k, int n, uint16_t *dst)
{
    for (int j0 = 0; j0 < n; j0 += GEMM_NR)
        for (int p = 0; p < k; p += 2)
            for (int j = j0; j < j0 + GEMM_NR; j++) {
                *dst++ = j < n && p + 1 < k ? src[(p + 1) * k_step + j * n_step] : 0;
                *dst++ = j < n ? src[p * k_step + j * n_step] : 0;
            }
}

static unsigned nibble(const unsigned char *src, ptrdiff_t at)
{
    return at % 2 ? src[at / 2] >> 4 : src[at / 2] & 15u;
}

static void pack4(const unsigned char *src, ptrdiff_t k_step, ptrdiff_t n_step, int k, int n, unsigned char *dst)
{
    for (int j0 = 0; j0 < n; j0 += GEMM_NR)
        for (int p0 = 0; p0 < k; p0 += GEMM_I4_ROWS)
            for (int j = j0; j < j0 + GEMM_NR; j++, dst += sizeof(uint32_t)) {
                uint32_t word = 0;
                for (int p = p0; p < k && p < p0 + GEMM_I4_ROWS && j < n; p++)
                    word |= (uint32_t)nibble(src, p * k_step + j * n_step) << gemm_i4_shift(p);
                memcpy(dst, &word, sizeof word);
            }
}

static void pack_kn4(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    pack4(src, ld, 1, k, n, dst);
}

static void pack_kn8(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    pack(1, src, ld, 1, k, n, dst);
}

static void pack_kn16(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    pack(2, src, ld, 1, k, n, dst);
}

static void pack_kn_bf16(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    pack_bf16(src, ld, 1, k, n, dst);
}

static void pack_kn32(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    pack(4, src, ld, 1, k, n, dst);
}

static void pack_nk4(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    pack4(src, 1, ld, k, n, dst);
}

static void pack_nk8(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    pack(1, src, 1, ld, k, n, dst);
}

static void pack_nk16(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    pack(2, src, 1, ld, k, n, dst);
}

static void pack_nk_bf16(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    pack_bf16(src, 1, ld, k, n, dst);
}

static void pack_nk32(const void *src, ptrdiff_t ld, int k, int n, void *dst)
{
    pack(4, src, 1, ld, k, n, dst);
}

const struct pack_kernel pack_ref = {
    .name = "ref",
    .needs = 0,
    .kn = {[MMARN_F16] = pack_kn16,
           [MMARN_BF16] = pack_kn_bf16,
           [MMARN_F32] = pack_kn32,
           [MMARN_I8] = pack_kn8,
           [MMARN_I4] = pack_kn4},
    .nk = {[MMARN_F16] = pack_nk16,
           [MMARN_BF16] = pack_nk_bf16,
           [MMARN_F32] = pack_nk32,
           [MMARN_I8] = pack_nk8,
           [MMARN_I4] = pack_nk4},
};
