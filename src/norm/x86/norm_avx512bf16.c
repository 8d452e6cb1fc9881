/* SPDX-License-Identifier: MIT */
/* norm_avx512bf16.c - the kernels of norm_256.h with AVX2 and the rounding to bf16 of AVX512_BF16. */
#include "norm/x86/norm_256.h"

const struct norm_kernel norm_avx512bf16 = NORM_TABLE("avx512bf16", CPU_AVX512 | CPU_AVX512BF16);
