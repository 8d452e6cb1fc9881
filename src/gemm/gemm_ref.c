/*
 * gemm_ref.c - the definition of the matmul kernels: plain C over the plain conversions, chains of fmaf.
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

/* Rows of C at a time, for which a row of B is widened once. */
enum { ROWS = 8 };

/* Carries the sums of m rows from i on over the rows p0 .. p0 + k of the panel. */
static void carry(int32_t dtype, const struct gemm_block *g, const char *panel, int i, int m, int p0, int k,
                  float sums[ROWS][GEMM_NR])
{
    for (int p = p0; p < p0 + k; p++) {
        float b[GEMM_NR];
        load_row(dtype, g, panel, p, b);
        for (int r = 0; r < m; r++)
            for (int j = 0; j < GEMM_NR; j++)
                sums[r][j] = fmaf(g->a[(i + r) * g->lda + p], b[j], sums[r][j]);
    }
}

static void rows(int32_t dtype, const struct gemm_block *g, const char *panel, int i, int m, float *c, int columns)
{
    float totals[ROWS][GEMM_NR] = {{0}};
    for (int r = 0; r < m && !g->first; r++)
        memcpy(totals[r], c + r * g->ldc, (size_t)columns * sizeof(float));
    if (g->chain == 0)
        carry(dtype, g, panel, i, m, 0, g->k, totals);
    for (int p = 0; g->chain && p < g->k; p += g->chain) {
        float sums[ROWS][GEMM_NR] = {{0}};
        carry(dtype, g, panel, i, m, p, g->k - p < g->chain ? g->k - p : g->chain, sums);
        for (int r = 0; r < m; r++)
            for (int j = 0; j < GEMM_NR; j++)
                totals[r][j] = g->first && p == 0 ? sums[r][j] : totals[r][j] + sums[r][j];
    }
    for (int r = 0; r < m; r++)
        memcpy(c + r * g->ldc, totals[r], (size_t)columns * sizeof(float));
}

static void block(int32_t dtype, const struct gemm_block *g)
{
    for (int j = 0; j < g->n; j += GEMM_NR) {
        const char *panel = (const char *)g->b + j / GEMM_NR * g->panel_stride * (ptrdiff_t)dtype_size(dtype);
        for (int i = 0; i < g->m; i += ROWS)
            rows(dtype, g, panel, i, g->m - i < ROWS ? g->m - i : ROWS, g->c + i * g->ldc + j,
                 g->n - j < GEMM_NR ? g->n - j : GEMM_NR);
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
