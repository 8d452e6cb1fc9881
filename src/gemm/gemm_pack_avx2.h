/*
 * gemm_pack_avx2.h - the packing functions of gemm_avx2.c's table, by the size of an element in bits; a type's meaning
 * plays no part, but that bf16 has its rows in pairs. The contract is gemm_pack_fn's. Floats are in gemm_pack_avx2.c,
 * integers in gemm_pack_int_avx2.c.
 */
#ifndef MMARN_GEMM_GEMM_PACK_AVX2_H
#define MMARN_GEMM_GEMM_PACK_AVX2_H

#include "gemm/gemm.h"

gemm_pack_fn gemm_pack_kn4_avx2, gemm_pack_kn8_avx2;
gemm_pack_fn gemm_pack_nk4_avx2, gemm_pack_nk8_avx2;
gemm_pack_fn gemm_pack_kn16_avx2, gemm_pack_kn32_avx2;
gemm_pack_fn gemm_pack_nk16_avx2, gemm_pack_nk32_avx2;
gemm_pack_fn gemm_pack_kn_bf16_avx2, gemm_pack_nk_bf16_avx2;

#endif
