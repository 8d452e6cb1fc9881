/*
 * gemm_avx2.c - the matmul kernel with AVX2 and FMA: gemm_256.h with 6 x 2 registers of C, 2 of B and 1 of A, 15 of the
 * 16.
 */
#if defined(__x86_64__)

#define GEMM_256_ROWS 6
#include "gemm/gemm_256.h"

const struct gemm_kernel gemm_avx2 = GEMM_TABLE("avx2", CPU_AVX2);

#endif
