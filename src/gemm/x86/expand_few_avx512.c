/* SPDX-License-Identifier: MIT */
/*
 * expand_few_avx512.c - multiplies a few rows with int8 or int4 weights with AVX-512, like expand_few_avx2.c, whose
 * factors it shares. A register is a row of a panel, and the factors of up to four panels stay in registers down k.
 */
#include "gemm/x86/expand_factors.h"

#include "base/x86/avx512.h"

enum { MAX_ROWS = 6, MAX_PANELS = EXPAND_FACTORS / GEMM_NR, MAX_C = 16 };

/* Most panels side by side, by the rows of the tile: sums and two factors of each column fit 32 registers. */
/* clang-format off */
#define WIDEST(ROW, ...)                                                                        \
    ROW(1, 4, __VA_ARGS__) ROW(2, 4, __VA_ARGS__) ROW(3, 4, __VA_ARGS__) ROW(4, 4, __VA_ARGS__) \
    ROW(5, 2, __VA_ARGS__) ROW(6, 2, __VA_ARGS__)
/* clang-format on */

/*
 * int4 becomes fp32 without moving its bits: its four bits, with the sign bit inverted, are the last ones of 2^23 + 8 +
 * q in the first row of a pair, and, four bits higher, those of 2^19 + 8 + q in the second. The excess over q is
 * subtracted, together with a whole offset, which is exact. So int4 with an offset costs no more than without.
 */
static const float above_i4[2] = {0x1p23F + 8, 0x1p19F + 8};

/* The first or second row of a pair; int4 with above_i4 added. */
ALWAYS_INLINE __m512 load_weights(int32_t dtype, const char *pair, int row)
{
    if (dtype == MMARN_I8) {
        const void *from = pair + row * GEMM_NR;
        return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from)));
    }
    const __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)pair));
    const __m512i mask = _mm512_set1_epi32(row ? 0xf0 : 0x0f), above = _mm512_set1_epi32(row ? 0x49000080 : 0x4b000008);
    enum { FIRST = 0xf0, SECOND = 0xcc, THIRD = 0xaa };
    return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(bytes, mask, above, (FIRST & SECOND) ^ THIRD));
}

/*
 * The values of a panel's columns; `above` is the excess of int4 in the two rows of a pair. With `adds` the offset
 * takes an addition of its own.
 */
struct columns {
    __m512 offset, first, second, above[2];
};

ALWAYS_INLINE struct columns load_columns(const struct expand_factors *f, int at, bool adds)
{
    struct columns columns = {.offset = _mm512_loadu_ps(f->offset + at),
                              .first = _mm512_loadu_ps(f->first + at),
                              .second = _mm512_loadu_ps(f->second + at)};
    for (int row = 0; row < 2; row++) {
        const __m512 above = _mm512_set1_ps(above_i4[row]);
        columns.above[row] = adds ? above : _mm512_sub_ps(above, columns.offset);
    }
    return columns;
}

/* Adds the products of `depth` rows of k, a pair or the last one, at a and b. */
ALWAYS_INLINE void multiply(const struct expand_few *g, const struct columns *columns, const float *a, const char *b,
                            __m512 *sum, int32_t dtype, bool adds, int rows, int panels, int depth)
{
    const ptrdiff_t panel_bytes = dtype == MMARN_I8 ? g->run.panel_stride : g->run.panel_stride / 2;
#pragma GCC unroll 4
    for (int v = 0; v < panels; v++) {
        const char *pair = b + v * panel_bytes;
        prefetch_ahead(pair, g->ahead);
#pragma GCC unroll 2
        for (int p = 0; p < depth; p++) {
            __m512 u = load_weights(dtype, pair, p);
            if (dtype == MMARN_I4)
                u = _mm512_sub_ps(u, columns[v].above[p]);
            if (adds)
                u = _mm512_add_ps(u, columns[v].offset);
            const __m512 w = _mm512_fmadd_ps(u, columns[v].second, _mm512_mul_ps(u, columns[v].first));
#pragma GCC unroll 6
            for (int i = 0; i < rows; i++)
                sum[i * panels + v] = _mm512_fmadd_ps(_mm512_set1_ps(a[i * g->lda + p]), w, sum[i * panels + v]);
        }
    }
}

ALWAYS_INLINE void micro(const struct expand_few *g, const struct expand_factors *f, const float *a, const char *b,
                         float *c, ptrdiff_t ldc, int32_t dtype, bool adds, int rows, int panels)
{
    const ptrdiff_t pair_bytes = dtype == MMARN_I8 ? 2 * GEMM_NR : GEMM_NR;
    __m512 sum[MAX_C];
    struct columns columns[MAX_PANELS];
#pragma GCC unroll 4
    for (int v = 0; v < panels; v++)
        columns[v] = load_columns(f, v * GEMM_NR, adds);
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int v = 0; v < panels; v++)
            sum[i * panels + v] = g->first ? _mm512_setzero_ps() : _mm512_loadu_ps(c + i * ldc + v * GEMM_NR);
    int p = 0;
    for (; p + 1 < g->run.k; p += 2, a += 2, b += pair_bytes)
        multiply(g, columns, a, b, sum, dtype, adds, rows, panels, 2);
    if (p < g->run.k)
        multiply(g, columns, a, b, sum, dtype, adds, rows, panels, 1);
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int v = 0; v < panels; v++)
            _mm512_storeu_ps(c + i * ldc + v * GEMM_NR, sum[i * panels + v]);
}

/* Only fp32 may have offsets that are not whole numbers. */
ALWAYS_INLINE bool adds_offset(int32_t dtype, int32_t x_dtype, const struct expand_run *run)
{
    return run->offset && (dtype == MMARN_I8 || x_dtype == MMARN_F32);
}

ALWAYS_INLINE float prescale(int32_t dtype)
{
    (void)dtype;
    return 1;
}

#include "gemm/x86/expand_few_table.h"

const struct expand_kernel expand_few_avx512 = EXPAND_FEW_TABLE("avx512", CPU_AVX512);
