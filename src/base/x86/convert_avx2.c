/* SPDX-License-Identifier: MIT */
/* convert_avx2.c - the conversions of convert_256.h with AVX2. */
#include "base/x86/convert_256.h"

const struct convert_kernel convert_avx2 = CONVERT_TABLE("avx2", CPU_AVX2);
