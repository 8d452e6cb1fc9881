/* SPDX-License-Identifier: MIT */
/*
 * convert_256.h - conversions eight at a time with F16C, AVX2, and whatever else the including file is compiled for.
 * The last few elements go through a buffer of eight, so that they use the same instructions and nothing beyond the
 * arrays is touched.
 */
#include "base/convert.h"

#include <string.h>

#include "base/cpu.h"
#include "base/x86/avx2.h"

ALWAYS_INLINE void widen(int32_t dtype, const void *src, float *dst, size_t count)
{
    const uint16_t *in = src;
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(dst + i, avx2_load(dtype, in + i));
    if (i < count) {
        uint16_t last[8] = {0};
        float wide[8];
        memcpy(last, in + i, (count - i) * sizeof *in);
        _mm256_storeu_ps(wide, avx2_load(dtype, last));
        memcpy(dst + i, wide, (count - i) * sizeof *dst);
    }
}

ALWAYS_INLINE void narrow(int32_t dtype, const float *src, void *dst, size_t count)
{
    uint16_t *out = dst;
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        avx2_store(dtype, out + i, _mm256_loadu_ps(src + i));
    if (i < count) {
        float last[8] = {0};
        uint16_t narrowed[8];
        memcpy(last, src + i, (count - i) * sizeof *src);
        avx2_store(dtype, narrowed, _mm256_loadu_ps(last));
        memcpy(out + i, narrowed, (count - i) * sizeof *out);
    }
}

static void f16_to_f32(const void *src, float *dst, size_t count)
{
    widen(MMARN_F16, src, dst, count);
}

static void f16_from_f32(const float *src, void *dst, size_t count)
{
    narrow(MMARN_F16, src, dst, count);
}

static void bf16_to_f32(const void *src, float *dst, size_t count)
{
    widen(MMARN_BF16, src, dst, count);
}

static void bf16_from_f32(const float *src, void *dst, size_t count)
{
    narrow(MMARN_BF16, src, dst, count);
}

#define CONVERT_TABLE(title, features)                                                                                 \
    {                                                                                                                  \
        .name = title,                                                                                                 \
        .needs = features,                                                                                             \
        .to_f32 = {[MMARN_F16] = f16_to_f32, [MMARN_BF16] = bf16_to_f32},                                              \
        .from_f32 = {[MMARN_F16] = f16_from_f32, [MMARN_BF16] = bf16_from_f32},                                        \
    }
