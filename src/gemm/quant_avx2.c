/*
 * quant_avx2.c - a few rows against int8 or int4 weights with AVX2: weights are read once and expanded in registers,
 * with no conversion to 16 bits and back. Rounding q * s to a significand `shift` bits shorter than fp32's takes two
 * instructions: q * ((2^shift + 1) * s) rounds to a multiple of the short type's last place, ties to even, and what is
 * subtracted from it, q * (2^shift * s), is exact:
 *     w = fma(q, -(2^shift * s), q * ((2^shift + 1) * s))
 * This is q * s correctly rounded while s has the short significand (so that the first factor is exact in fp32), q is
 * an integer below 2^9 (so that q * s has an even 24-bit significand, which the carry into the next power of two
 * needs), and no w is denormal or overflows. quant_easy_avx2 tells; where it says no, the caller goes by expansion.
 * For x1 in fp32 nothing is rounded: the second factor is a zero.
 */
#include "gemm/quant_avx2.h"

#if defined(__x86_64__)

#include <string.h>

#include "base/avx2.h"
#include "base/cpu.h"

enum {
    VECTOR = 8,
    VECTORS = GEMM_NR / VECTOR,
    MAX_ROWS = 6,
    MAX_PANELS = 4,
    MAX_C = 12,
    PREFETCH = 2048,
    /* Columns of the factors at hand. */
    COLUMNS = MAX_PANELS * GEMM_NR
};

/* Most panels side by side, by the rows of the tile. Expansion fills the latency of the sums, so few suffice. */
static const int widest[MAX_ROWS + 1] = {0, 4, 3, 1, 1, 1, 1};

/* Of the columns of a register tile: w = fma(u, second, u * first), where u = q, or q + offset. */
struct factors {
    float offset[COLUMNS], first[COLUMNS], second[COLUMNS];
};

/* What quant_easy_avx2 asks of a scale, besides being zero: its bounds, and which bits of its significand must be zero.
 */
struct limits {
    float least, most, most_offset;
    int shift;
    bool negative; /* allowed */
};

/*
 * f16: 2^-14 is the smallest normal number, and 256 * 255 does not overflow. bf16: far from both ends of fp32. fp32: as
 * int4's powers of two leave no mark. Only with f16 is a zero's sign of no consequence: no chain over f16 numbers ever
 * holds a negative zero, as sums of their products do not underflow. So f16 may have negative scales, whose zeros lose
 * their sign.
 */
static const struct limits limits[DTYPE_COUNT] = {
    [MMARN_F16] = {0x1p-14F, 255, 128, 13, true},
    [MMARN_BF16] = {0x1p-90F, 0x1p90F, 128, 16, false},
    [MMARN_F32] = {0x1p-60F, 0x1p127F, 0x1p60F, 0, true},
};

AVX2_INLINE __m256 magnitude(__m256 values)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), values);
}

AVX2_INLINE bool all(__m256 mask)
{
    return _mm256_movemask_ps(mask) == 0xff;
}

AVX2_INLINE bool easy_scale(int32_t x_dtype, __m256 scale)
{
    const struct limits *limit = &limits[x_dtype];
    const __m256 size = limit->negative ? magnitude(scale) : scale;
    const __m256 inside = _mm256_and_ps(_mm256_cmp_ps(size, _mm256_set1_ps(limit->least), _CMP_GE_OQ),
                                        _mm256_cmp_ps(size, _mm256_set1_ps(limit->most), _CMP_LE_OQ));
    const __m256i zero = _mm256_cmpeq_epi32(_mm256_castps_si256(size), _mm256_setzero_si256());
    const __m256i beyond = _mm256_set1_epi32((1 << limit->shift) - 1);
    return all(_mm256_or_ps(inside, _mm256_castsi256_ps(zero))) &&
           _mm256_testz_si256(_mm256_castps_si256(scale), beyond);
}

/* Integers, unless nothing is rounded. */
AVX2_INLINE bool easy_offset(int32_t x_dtype, __m256 offset)
{
    const __m256 inside = _mm256_cmp_ps(magnitude(offset), _mm256_set1_ps(limits[x_dtype].most_offset), _CMP_LE_OQ);
    const __m256 whole = _mm256_round_ps(offset, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return all(inside) && (x_dtype == MMARN_F32 || all(_mm256_cmp_ps(whole, offset, _CMP_EQ_OQ)));
}

bool quant_easy_avx2(int32_t x_dtype, const struct quant_run *run)
{
    for (int j = 0; j < run->n; j += VECTOR)
        if (!easy_scale(x_dtype, _mm256_loadu_ps(run->scale + j)) ||
            (run->offset && !easy_offset(x_dtype, _mm256_loadu_ps(run->offset + j))))
            return false;
    return true;
}

/*
 * load_weights leaves int4 multiplied by a power of two, `up`; offsets follow suit, and factors make up for it. The
 * second factor's zeros have the sign that keeps the sign of u * first.
 */
AVX2_INLINE void make_factors(int32_t dtype, int32_t x_dtype, const struct quant_run *run, int column, int count,
                              struct factors *f)
{
    const __m256 sign = _mm256_set1_ps(-0.0F), power = _mm256_set1_ps((float)(1 << limits[x_dtype].shift));
    for (int j = 0; j < count; j += VECTOR) {
        const float up = dtype == MMARN_I8 ? 1 : j % GEMM_NR ? 0x1p4F : 0x1p28F;
        const __m256 scale = _mm256_mul_ps(_mm256_loadu_ps(run->scale + column + j), _mm256_set1_ps(1 / up));
        __m256 first = scale, second = _mm256_and_ps(scale, sign);
        if (x_dtype != MMARN_F32) {
            const __m256 shifted = _mm256_mul_ps(scale, power);
            first = _mm256_add_ps(shifted, scale);
            second = _mm256_sub_ps(_mm256_setzero_ps(), shifted);
        }
        _mm256_storeu_ps(f->first + j, first);
        _mm256_storeu_ps(f->second + j, second);
        if (run->offset)
            _mm256_storeu_ps(f->offset + j,
                             _mm256_mul_ps(_mm256_loadu_ps(run->offset + column + j), _mm256_set1_ps(up)));
    }
}

/* Columns 0 .. 7 of a row, or, with high, 8 .. 15. int4 comes out as q * 2^28 in the lower half, q * 2^4 in the upper.
 */
AVX2_INLINE __m256 load_weights(int32_t dtype, const char *row, bool high)
{
    if (dtype == MMARN_I8 && high)
        row += VECTOR;
    __m256i bytes = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)row));
    if (dtype == MMARN_I4)
        bytes = high ? _mm256_and_si256(bytes, _mm256_set1_epi32(-16)) : _mm256_slli_epi32(bytes, 28);
    return _mm256_cvtepi32_ps(bytes);
}

/* One register tile: a, b and c point at its first row and column. */
typedef void micro_fn(const struct quant_block *g, const struct factors *f, const float *a, const char *b, float *c,
                      ptrdiff_t ldc);

AVX2_INLINE void micro(const struct quant_block *g, const struct factors *f, const float *a, const char *b, float *c,
                       ptrdiff_t ldc, int32_t dtype, bool has_offset, int rows, int panels)
{
    const ptrdiff_t row_bytes = dtype == MMARN_I8 ? GEMM_NR : GEMM_NR / 2;
    const ptrdiff_t panel_bytes = dtype == MMARN_I8 ? g->run.panel_stride : g->run.panel_stride / 2;
    const ptrdiff_t lda = g->lda;
    const int k = g->run.k, across = panels * VECTORS;
    __m256 sum[MAX_C];
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < across; v++)
            sum[i * across + v] = g->first ? _mm256_setzero_ps() : _mm256_loadu_ps(c + i * ldc + v * VECTOR);
    for (int p = 0; p < k; p++, a++, b += row_bytes)
#pragma GCC unroll 8
        for (int v = 0; v < across; v++) {
            const char *at = b + v / VECTORS * panel_bytes;
            if (v % VECTORS == 0)
                avx2_prefetch(at, PREFETCH);
            __m256 u = load_weights(dtype, at, v % VECTORS);
            if (has_offset)
                u = _mm256_add_ps(u, _mm256_loadu_ps(f->offset + v * VECTOR));
            __m256 w = _mm256_fmadd_ps(u, _mm256_loadu_ps(f->second + v * VECTOR),
                                       _mm256_mul_ps(u, _mm256_loadu_ps(f->first + v * VECTOR)));
#pragma GCC unroll 6
            for (int i = 0; i < rows; i++)
                sum[i * across + v] = _mm256_fmadd_ps(_mm256_broadcast_ss(a + i * lda), w, sum[i * across + v]);
        }
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < across; v++)
            _mm256_storeu_ps(c + i * ldc + v * VECTOR, sum[i * across + v]);
}

/* Every shape that `widest` allows. */
/* clang-format off */
#define SHAPES(X, type, offset)                                                               \
    X(type, offset, 1, 1) X(type, offset, 1, 2) X(type, offset, 1, 3) X(type, offset, 1, 4)   \
    X(type, offset, 2, 1) X(type, offset, 2, 2) X(type, offset, 2, 3)                         \
    X(type, offset, 3, 1) X(type, offset, 4, 1) X(type, offset, 5, 1) X(type, offset, 6, 1)
/* clang-format on */
#define DEFINE(type, offset, rows, panels)                                                                             \
    static void micro_##type##_##offset##_##rows##x##panels(const struct quant_block *g, const struct factors *f,      \
                                                            const float *a, const char *b, float *c, ptrdiff_t ldc)    \
    {                                                                                                                  \
        micro(g, f, a, b, c, ldc, MMARN_##type, offset, rows, panels);                                                 \
    }
#define ENTRY(type, offset, rows, panels) [rows][panels] = micro_##type##_##offset##_##rows##x##panels,
SHAPES(DEFINE, I8, 0)
SHAPES(DEFINE, I8, 1)
SHAPES(DEFINE, I4, 0)
SHAPES(DEFINE, I4, 1)
/* By dtype, and by whether there are offsets. */
static micro_fn *const micros[DTYPE_COUNT][2][MAX_ROWS + 1][MAX_PANELS + 1] = {
    [MMARN_I8] = {{SHAPES(ENTRY, I8, 0)}, {SHAPES(ENTRY, I8, 1)}},
    [MMARN_I4] = {{SHAPES(ENTRY, I4, 0)}, {SHAPES(ENTRY, I4, 1)}}};

/* The last columns, fewer than a panel: the tile goes through a buffer, so that no column beyond n is touched. */
static void ragged(const struct quant_block *g, const struct factors *f, micro_fn *kernel, const float *a,
                   const char *b, float *c, int rows)
{
    float whole[MAX_ROWS * GEMM_NR] = {0};
    size_t bytes = (size_t)(g->run.n % GEMM_NR) * sizeof(float);
    for (int i = 0; i < rows && !g->first; i++)
        memcpy(whole + (ptrdiff_t)i * GEMM_NR, c + i * g->ldc, bytes);
    kernel(g, f, a, b, whole, GEMM_NR);
    for (int i = 0; i < rows; i++)
        memcpy(c + i * g->ldc, whole + (ptrdiff_t)i * GEMM_NR, bytes);
}

AVX2_INLINE bool block(int32_t dtype, int32_t x_dtype, const struct quant_block *g)
{
    const int full = g->run.n / GEMM_NR, tallest = avx2_piece(g->m, MAX_ROWS);
    micro_fn *const(*shapes)[MAX_PANELS + 1] = micros[dtype][g->run.offset != NULL];
    struct factors f;
    if (!quant_easy_avx2(x_dtype, &g->run))
        return false;
    for (int panel = 0, panels; panel * GEMM_NR < g->run.n; panel += panels) {
        panels = panel < full ? avx2_piece(full - panel, widest[tallest]) : 1;
        const char *b = (const char *)g->run.b + gemm_bytes(dtype, panel * g->run.panel_stride);
        make_factors(dtype, x_dtype, &g->run, panel * GEMM_NR, panels * GEMM_NR, &f);
        for (int i = 0, rows; i < g->m; i += rows) {
            rows = avx2_piece(g->m - i, MAX_ROWS);
            const float *a = g->a + i * g->lda;
            float *c = g->c + i * g->ldc + (ptrdiff_t)panel * GEMM_NR;
            if (panel < full)
                shapes[rows][panels](g, &f, a, b, c, g->ldc);
            else
                ragged(g, &f, shapes[rows][1], a, b, c, rows);
        }
    }
    return true;
}

/* clang-format off */
#define PAIRS(X)                                                        \
    X(I8, F16, i8_f16) X(I8, BF16, i8_bf16) X(I8, F32, i8_f32)          \
    X(I4, F16, i4_f16) X(I4, BF16, i4_bf16) X(I4, F32, i4_f32)
/* clang-format on */
#define DEFINE_BLOCK(type, x_type, name)                                                                               \
    static bool block_##name(const struct quant_block *g)                                                              \
    {                                                                                                                  \
        return block(MMARN_##type, MMARN_##x_type, g);                                                                 \
    }
PAIRS(DEFINE_BLOCK)
#define EXPAND(type, x_type, name) [MMARN_##type][MMARN_##x_type] = quant_expand_##name##_avx2,
#define BLOCK(type, x_type, name)  [MMARN_##type][MMARN_##x_type] = block_##name,

const struct quant_kernel quant_avx2 = {
    .name = "avx2",
    .needs = CPU_AVX2,
    .i8_block = quant_i8_block_avx2,
    .expand = {PAIRS(EXPAND)},
    .block = {PAIRS(BLOCK)},
};

#endif
