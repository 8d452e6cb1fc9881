/* norm_avx2.c - the kernels of norm_256.h with AVX2. */
#if defined(__x86_64__)

#include "norm/norm_256.h"

const struct norm_kernel norm_avx2 = NORM_TABLE("avx2", CPU_AVX2);

#endif
