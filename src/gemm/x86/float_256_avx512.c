/* SPDX-License-Identifier: MIT */
/*
 * float_256_avx512.c - the kernel for float weights on processors that have AVX-512 but do 512-bit operations in two
 * halves (AMD's Zen 4): float_256.h with 12 x 2 of AVX-512's 32 registers for C. On those, 512 bits are no faster, and
 * converting f16 in 512 bits takes cycles away from the multiply-adds, which converting in 256 bits does not.
 */
#define FLOAT_256_ROWS 12
#include "gemm/x86/float_256.h"

const struct float_kernel float_avx512_256 = FLOAT_TABLE("avx512-256", CPU_AVX512 | CPU_HALVED);
