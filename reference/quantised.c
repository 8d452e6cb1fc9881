/* SPDX-License-Identifier: MIT */
/*
 * quantised.c - see quantised.h. Written for plainness: sums of f16 or bf16 operands are exact in double, so a step
 * that the operator rounds to f16 is one rounding of a double here; words are made by arithmetic on values, not on
 * encodings.
 */
#include "reference/quantised.h"

#include <math.h>
#include <string.h>

#include "reference/halffloat.h"

/* --------------------------------------------------------------------------------------------------- storage */

size_t quantised_bytes(int32_t dtype, size_t count)
{
    return dtype == MMARN_I4 ? (count + 1) / 2 : count;
}

int quantised_load(int32_t dtype, const void *array, size_t index)
{
    const uint8_t *bytes = array;
    int nibble;
    if (dtype == MMARN_I8)
        return ((const int8_t *)array)[index];
    nibble = index % 2 == 0 ? bytes[index / 2] % 16 : bytes[index / 2] / 16;
    return nibble < 8 ? nibble : nibble - 16;
}

void quantised_store(int32_t dtype, void *array, size_t index, int value)
{
    uint8_t *byte = (uint8_t *)array + index / 2;
    const unsigned nibble = (unsigned)value & 15;
    if (dtype == MMARN_I8)
        ((int8_t *)array)[index] = (int8_t)value;
    else if (index % 2 == 0)
        *byte = (uint8_t)((*byte & 0xf0u) | nibble);
    else
        *byte = (uint8_t)((*byte & 0x0fu) | nibble << 4);
}

/* ------------------------------------------------------------------------------------------ quantised weights */

int quantised_integer(const struct quantised_weights *weights, int64_t p, int64_t j)
{
    return quantised_load(weights->x2_dtype, weights->x2,
                          (size_t)(weights->trans_x2 ? j * weights->k + p : p * weights->n + j));
}

float quantised_value(const struct quantised_weights *weights, const struct quantised_values *values, int64_t p,
                      int64_t j)
{
    const int64_t group = weights->group_size > 0 ? p / weights->group_size : 0;
    if (values->data == NULL)
        return 0.0f;
    return halffloat_load(weights->dtype, values->data,
                          (size_t)(group * values->group_stride + j * values->column_stride));
}

float quantised_expanded_weight(const struct quantised_weights *weights, int64_t p, int64_t j)
{
    const int q = quantised_integer(weights, p, j);
    const float offset = quantised_value(weights, &weights->offset, p, j);
    const float scale = quantised_value(weights, &weights->scale, p, j);

    if (weights->dtype == MMARN_F16) {
        const float sum = halffloat_round(MMARN_F16, (double)q + offset);
        return halffloat_round(MMARN_F16, (double)sum * scale);
    }
    const float sum = (float)q + offset;
    const float product = sum * scale;
    return halffloat_round(weights->dtype, product);
}

void quantised_expand(const struct quantised_weights *weights, void *expanded)
{
    for (int64_t p = 0; p < weights->k; p++)
        for (int64_t j = 0; j < weights->n; j++)
            halffloat_store(weights->dtype, expanded, (size_t)(p * weights->n + j),
                            quantised_expanded_weight(weights, p, j));
}

/* ---------------------------------------------------------------------------------------------- int8 times int8 */

/* One row of sums. Unsigned, because that is what wraps. */
static void sum_row(int64_t k, int64_t n, const int8_t *x1, const int8_t *x2, bool trans_x2, uint32_t *sums)
{
    for (int64_t p = 0; !trans_x2 && p < k; p++)
        for (int64_t j = 0; j < n; j++)
            sums[j] += (uint32_t)(x1[p] * x2[p * n + j]);
    for (int64_t j = 0; trans_x2 && j < n; j++)
        for (int64_t p = 0; p < k; p++)
            sums[j] += (uint32_t)(x1[p] * x2[j * k + p]);
}

void quantised_sums(int64_t rows, int64_t k, int64_t n, const int8_t *x1, const int8_t *x2, bool trans_x2,
                    const int32_t *bias, int32_t *sums)
{
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < n; j++)
            sums[i * n + j] = bias != NULL ? bias[j] : 0;
        sum_row(k, n, x1 + i * k, x2, trans_x2, (uint32_t *)sums + i * n);
    }
}

void quantised_scales(int32_t dtype, const void *dequant_scale, int64_t count, int64_t n, float *scales)
{
    for (int64_t j = 0; j < n; j++) {
        const int64_t i = count == 1 ? 0 : j;
        if (dtype == MMARN_I64 || dtype == MMARN_U64)
            scales[j] = quantised_word_scale(((const uint64_t *)dequant_scale)[i]);
        else
            scales[j] = halffloat_load(dtype, dequant_scale, (size_t)i);
    }
}

void quantised_dequantise(int64_t rows, int64_t n, const int32_t *sums, const float *scales, const float *row_scale,
                          float *partial)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < n; j++) {
            const float sum = (float)sums[i * n + j];
            const float product = sum * scales[j];
            partial[i * n + j] = row_scale != NULL ? product * row_scale[i] : product;
        }
}

/* ------------------------------------------------------------------------------------------------------ words */

/* What a word keeps of a scale: sign, exponent and ten bits of fraction. */
static const uint32_t KEPT = 0xffffe000u;

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* To ten bits of fraction, ties to even. Scaled so that the last place kept is 1, rint does it, in double. */
static uint32_t rounded_bits(float scale)
{
    int exponent;
    double fraction;

    if (!isfinite(scale))
        return bits_of(scale) & KEPT;
    if (!isnormal(scale))
        return signbit(scale) ? 0x80000000u : 0u;
    fraction = frexp((double)scale, &exponent);
    return bits_of((float)ldexp(rint(fraction * 2048), exponent - 11));
}

uint64_t quantised_word(float scale, float offset, int32_t round_mode)
{
    const uint32_t low = round_mode == 0 ? bits_of(scale) & KEPT : rounded_bits(scale);
    const int whole = (int)rint(fmin(fmax(offset, -256.0), 255.0));
    return (uint64_t)1 << 46 | (uint64_t)(whole < 0 ? whole + 512 : whole) << 37 | low;
}

float quantised_word_scale(uint64_t word)
{
    const uint32_t bits = (uint32_t)word & KEPT;
    float scale;
    memcpy(&scale, &bits, sizeof(scale));
    return scale;
}
