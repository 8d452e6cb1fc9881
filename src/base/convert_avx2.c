/* convert_avx2.c - the conversions of convert_256.h with AVX2. */
#if defined(__x86_64__)

#include "base/convert_256.h"

const struct convert_kernel convert_avx2 = CONVERT_TABLE("avx2", CPU_AVX2);

#endif
