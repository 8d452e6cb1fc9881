/* SPDX-License-Identifier: MIT */
/*
 * float_avx2.c - the kernel for float weights with AVX2 and FMA: float_256.h with 6 x 2 registers of C, 2 of B and 1 of
 * A, 15 of the 16.
 */
#define FLOAT_256_ROWS 6
#include "gemm/x86/float_256.h"

const struct float_kernel float_avx2 = FLOAT_TABLE("avx2", CPU_AVX2);
