/* SPDX-License-Identifier: MIT */
/* norm_avx2.c - the kernels of norm_256.h with AVX2. */
#include "norm/x86/norm_256.h"

const struct norm_kernel norm_avx2 = NORM_TABLE("avx2", CPU_AVX2);
