/*
 * gemm_avx512vl.c - the matmul kernel for processors that have AVX-512 but do 512-bit operations in two halves (AMD's
 * Zen 4): gemm_256.h with 12 x 2 of AVX-512's 32 registers for C. There 512 bits are no faster, and converting f16 by
 * 512 bits takes turns away from the multiply-adds, which converting by 256 does not.
 */
#if defined(__x86_64__)

#define GEMM_256_ROWS 12
#include "gemm/gemm_256.h"

const struct gemm_kernel gemm_avx512vl = GEMM_TABLE("avx512vl", CPU_AVX512 | CPU_HALVED);

#endif
