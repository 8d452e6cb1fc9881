/* SPDX-License-Identifier: MIT */
/* convert_avx512bf16.c - the conversions of convert_256.h with AVX2 and the rounding to bf16 of AVX512_BF16. */
#include "base/x86/convert_256.h"

const struct convert_kernel convert_avx512bf16 = CONVERT_TABLE("avx512bf16", CPU_AVX512 | CPU_AVX512BF16);
