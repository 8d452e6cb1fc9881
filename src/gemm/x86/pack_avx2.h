/* SPDX-License-Identifier: MIT */
/* pack_avx2.h - the packing of integers with AVX2, in pack_int_avx2.c, for the table in pack_avx2.c. */
#ifndef MMARN_GEMM_X86_PACK_AVX2_H
#define MMARN_GEMM_X86_PACK_AVX2_H

#include "gemm/kernel/pack_kernel.h"

pack_fn pack_kn4_avx2, pack_kn8_avx2, pack_nk4_avx2, pack_nk8_avx2;

#endif
