/*
 * gemm_ref.c - the definition of the matmul kernels: plain C over the plain conversions, one chain of fmaf per element.
 * Packing moves elements by their size alone, so types of one size share it, but for those whose rows lie in pairs.
 */
#include <math.h>
#include <string.h>

#include "base/convert.h"
#include "gemm/gemm.h"

/* Row p of a panel, or of a row-major B from the panel's first column on. */
static void load_row(int32_t dtype, const struct gemm_block *g, const char *panel, int p, float *row)
{
    uint16_t unpaired[GEMM_NR];
    const char *from = panel + p * g->k_stride * (ptrdiff_t)dtype_size(dtype);
    if (dtype == MMARN_BF16 && g->paired) {
        const uint16_t *pair = (const uint16_t *)(const void *)panel + p / 2 * 2 * GEMM_NR;
        for (int j = 0; j < GEMM_NR; j++)
            unpaired[j] = pair[2 * j + 1 - p % 2];
        from = (const char *)unpaired;
    }
    convert_kernels[0]->to_f32[dtype](from, row, GEMM_NR);
}

static void block(int32_t dtype, const struct gemm_block *g)
{
    for (int j0 = 0; j0 < g->n; j0 += GEMM_NR) {
        const char *panel = (const char *)g->b + j0 / GEMM_NR * g->panel_stride * (ptrdiff_t)dtype_size(dtype);
        int columns = g->n - j0 < GEMM_NR ? g->n - j0 : GEMM_NR;
        for (int i = 0; i < g->m && g->first; i++)
            memset(g->c + i * g->ldc + j0, 0, (size_t)columns * sizeof(float));
        for (int p = 0; p < g->k; p++) {
            float b[GEMM_NR];
            load_row(dtype, g, panel, p, b);
            for (int i = 0; i < g->m; i++) {
                float *c = g->c + i * g->ldc + j0;
                for (int j = 0; j < columns; j++)
                    c[j] = fmaf(g->a[i * g->lda + p], b[j], c[j]);
            }
        }
    }
}

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
        for (int p = 0; p < k; p += 2)
            for (int j = j0; j < j0 + GEMM_NR; j++) {
                unsigned low = j < n ? nibble(src, p * k_step + j * n_step) : 0;
                unsigned high = j < n && p + 1 < k ? nibble(src, (p + 1) * k_step + j * n_step) : 0;
                *dst++ = (unsigned char)(low | high << 4);
            }
}

static void block_f16(const struct gemm_block *g)
{
    block(MMARN_F16, g);
}

static void block_bf16(const struct gemm_block *g)
{
    block(MMARN_BF16, g);
}

static void block_f32(const struct gemm_block *g)
{
    block(MMARN_F32, g);
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

const struct gemm_kernel gemm_ref = {
    .name = "ref",
    .needs = 0,
    .block = {[MMARN_F16] = block_f16, [MMARN_BF16] = block_bf16, [MMARN_F32] = block_f32},
    .pack_kn = {[MMARN_F16] = pack_kn16,
                [MMARN_BF16] = pack_kn_bf16,
                [MMARN_F32] = pack_kn32,
                [MMARN_I8] = pack_kn8,
                [MMARN_I4] = pack_kn4},
    .pack_nk = {[MMARN_F16] = pack_nk16,
                [MMARN_BF16] = pack_nk_bf16,
                [MMARN_F32] = pack_nk32,
                [MMARN_I8] = pack_nk8,
                [MMARN_I4] = pack_nk4},
};
