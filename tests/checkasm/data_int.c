/* SPDX-License-Identifier: MIT */
/*
 * data_int.c - integers, and the scales and offsets that make weights of them. The last step uses the arithmetic of
 * data.c.
 */
#include "checkasm.h"

#include <math.h>

#include "base/dtype.h"

int data_get_int(int32_t dtype, const void *src, size_t at)
{
    if (dtype == MMARN_I8)
        return ((const int8_t *)src)[at];
    int nibble = ((const unsigned char *)src)[at / 2] >> at % 2 * 4 & 15;
    return nibble < 8 ? nibble : nibble - 16;
}

/* Eight rows of int4 lie in the word of their column: 1, 3, 5, 7, 0, 2, 4, 6 from its lowest bits up. */
size_t data_place_in_panel(int32_t dtype, int p, int j)
{
    enum { COLUMNS = 16, ROWS = 8 };
    static const int place[ROWS] = {4, 0, 5, 1, 6, 2, 7, 3};
    return (size_t)(dtype == MMARN_I4 ? (p / ROWS * COLUMNS + j) * ROWS + place[p % ROWS] : p * COLUMNS + j);
}

void data_fill_int(enum data kind, int32_t dtype, void *dst, size_t count)
{
    static const unsigned char extremes[DTYPE_COUNT][2] = {[MMARN_I8] = {0x80, 0x7f}, [MMARN_I4] = {0x88, 0x77}};
    unsigned char *bytes = dst;
    const size_t last = count * (size_t)dtype_bits(dtype) / 8;
    for (size_t i = 0; i < last; i++)
        bytes[i] = kind == DATA_ORDINARY  ? (unsigned char)random_bits()
                   : kind == DATA_EXTREME ? extremes[dtype][0]
                                          : extremes[dtype][i % 7 % 2];
}

/* A number of dtype, 2^-14 <= |number| <= 255: with any significand, the longest one, or a power of two. */
static float ordinary_scale(int32_t dtype)
{
    const int digits = dtype == MMARN_F16 ? 10 : dtype == MMARN_BF16 ? 7 : 23;
    int fraction = random_int(0, (1 << digits) - 1);
    if (random_bits() % 4 == 0)
        fraction = random_bits() & 1 ? (1 << digits) - 1 : 0;
    float scale = ldexpf(1 + ldexpf((float)fraction, -digits), random_int(-14, 6));
    if (dtype == MMARN_F16)
        scale = random_bits() & 1 ? -scale : scale;
    return random_int(0, 20) ? scale : 0.0F;
}

static float rounded(int32_t dtype, float value)
{
    float number[1];
    data_set(dtype, number, 0, value);
    return data_get(dtype, number, 0);
}

/*
 * Half of the arrays that are not ordinary go slightly beyond the range of the fast method, all elements by the same
 * factor: one number far beyond it would hide the others.
 */
void data_fill_scales(enum data kind, int32_t dtype, float *dst, size_t count)
{
    const bool near = random_bits() & 1;
    const int shift = random_int(-10, 4);
    for (size_t i = 0; i < count; i++) {
        float number[1];
        data_fill(kind, dtype, number, 1);
        dst[i] = data_get(dtype, number, 0);
        if (kind == DATA_ORDINARY)
            dst[i] = ordinary_scale(dtype);
        else if (near)
            dst[i] = rounded(dtype, ldexpf(ordinary_scale(dtype), shift));
        else if (random_bits() % 4 == 0)
            dst[i] = random_bits() & 1 ? -ordinary_scale(dtype) : ordinary_scale(dtype);
    }
}

void data_fill_offsets(enum data kind, int32_t dtype, float *dst, size_t count)
{
    const bool near = random_bits() & 1;
    const int most = 1 << random_int(7, 12), parts = random_bits() & 1 ? 1 : 4;
    for (size_t i = 0; i < count; i++) {
        float number[1];
        data_fill(kind, dtype, number, 1);
        dst[i] = data_get(dtype, number, 0);
        if (kind == DATA_ORDINARY)
            dst[i] = (float)random_int(-128, 128);
        else if (near)
            dst[i] = rounded(dtype, (float)random_int(-most, most) / (float)parts);
    }
}

float data_expand(int32_t x_dtype, int q, const float *offset, float scale)
{
    float value = (float)q;
    if (offset)
        value += *offset;
    if (x_dtype == MMARN_F16)
        value = rounded(MMARN_F16, value);
    return rounded(x_dtype, value * scale);
}
