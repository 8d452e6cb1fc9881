/* quant_avx2.h - what the files of quant_avx2.c's table share, and its parts in other files. The contracts are in
 * quant.h.
 */
#ifndef MMARN_GEMM_QUANT_AVX2_H
#define MMARN_GEMM_QUANT_AVX2_H

#include "gemm/quant.h"

quant_i8_block_fn quant_i8_block_avx2; /* quant_i8_avx2.c */

/* quant_avx2.c: are the run's scales and offsets such that rounding has a quick way? */
bool quant_easy_avx2(int32_t x_dtype, const struct quant_run *run);

/* quant_expand_avx2.c, by the dtypes of x2 and x1. */
quant_expand_fn quant_expand_i8_f16_avx2, quant_expand_i8_bf16_avx2, quant_expand_i8_f32_avx2;
quant_expand_fn quant_expand_i4_f16_avx2, quant_expand_i4_bf16_avx2, quant_expand_i4_f32_avx2;

#endif
