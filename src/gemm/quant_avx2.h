/*
 * quant_avx2.h - what the files of the tables in quant_avx2.c and quant_avx512.c share, and these tables' parts in
 * other files. The contracts are in quant.h.
 */
#ifndef MMARN_GEMM_QUANT_AVX2_H
#define MMARN_GEMM_QUANT_AVX2_H

#include "gemm/quant.h"

/* quant_i8_avx2.c */
quant_i8_block_fn quant_i8_block_avx2;
quant_i8_interleave_fn quant_i8_interleave_avx2;

/* quant_i8_avx512.c */
quant_i8_block_fn quant_i8_block_avx512;
quant_i8_interleave_fn quant_i8_interleave_avx512;

/* quant_factors_avx2.c: are the run's scales and offsets such that rounding has a quick way? */
bool quant_easy_avx2(int32_t x_dtype, const struct quant_run *run);

/* Most columns that a register tile of few rows has. */
enum { QUANT_FACTORS = 4 * GEMM_NR };

/* Of the columns of such a tile: w = fma(u, second, u * first), where u = q + offset; the offset may be zero. */
struct quant_factors {
    float offset[QUANT_FACTORS], first[QUANT_FACTORS], second[QUANT_FACTORS];
};
/* Those of `count` columns from `column` on of an easy run, for u that comes multiplied by `up`, a power of two. */
void quant_factors_avx2(float up, int32_t x_dtype, const struct quant_run *run, int column, int count,
                        struct quant_factors *factors);

/* quant_expand_avx2.c, by the dtypes of x2 and x1. */
quant_expand_fn quant_expand_i8_f16_avx2, quant_expand_i8_bf16_avx2, quant_expand_i8_f32_avx2;
quant_expand_fn quant_expand_i4_f16_avx2, quant_expand_i4_bf16_avx2, quant_expand_i4_f32_avx2;

/* quant_expand_avx512.c */
quant_expand_fn quant_expand_i8_f16_avx512, quant_expand_i8_bf16_avx512, quant_expand_i8_f32_avx512;
quant_expand_fn quant_expand_i4_f16_avx512, quant_expand_i4_bf16_avx512, quant_expand_i4_f32_avx512;

#endif
