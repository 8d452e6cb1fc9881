/* SPDX-License-Identifier: MIT */
/*
 * peak_ref.c - multiply-adds with the instructions that every processor of the architecture has. In fp32 they are fused
 * if the architecture always has fused ones (Arm), otherwise a multiplication and an addition. For int8 they are of
 * int32, to which int8 is widened if no instruction takes it directly.
 */
#include <math.h>

#include "peak.h"

/* Four floats or int32: what a 128-bit register holds. */
enum { WIDTH = 4 };

int64_t peak_fp32_ref(int64_t rounds, float *sink)
{
    float sum[PEAK_CHAINS * WIDTH] = {0};
    for (int64_t round = 0; round < rounds; round++)
        for (int i = 0; i < PEAK_CHAINS * WIDTH; i++) {
#ifdef __FP_FAST_FMAF
            sum[i] = fmaf(sum[i], 0.5f, 1.0f);
#else
            sum[i] = sum[i] * 0.5f + 1.0f;
#endif
        }
    for (int i = 0; i < PEAK_CHAINS * WIDTH; i++)
        *sink += sum[i];
    return rounds * PEAK_CHAINS * WIDTH * 2;
}

int64_t peak_int8_ref(int64_t rounds, float *sink)
{
    uint32_t sum[PEAK_CHAINS * WIDTH] = {0};
    for (int64_t round = 0; round < rounds; round++)
        for (int i = 0; i < PEAK_CHAINS * WIDTH; i++)
            sum[i] = sum[i] * 3 + 1;
    for (int i = 0; i < PEAK_CHAINS * WIDTH; i++)
        *sink += (float)sum[i];
    return rounds * PEAK_CHAINS * WIDTH * 2;
}
