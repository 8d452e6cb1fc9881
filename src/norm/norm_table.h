/* SPDX-License-Identifier: MIT */
/*
 * norm_table.h - the table of a norm kernel, included at the end of the files that define add(), add_sum(), row() and
 * quantise(). The first arguments of those are dtypes; here each becomes a function for every combination of dtypes.
 */
#include "norm/norm.h"

#define NORM_ADD(name, dtype, y_dtype)                                                                                 \
    static void add_##name(const void *mm, const void *residual, void *y, size_t count)                                \
    {                                                                                                                  \
        add(dtype, y_dtype, mm, residual, y, count);                                                                   \
    }                                                                                                                  \
    static void add_sum_##name(const float *left, const float *right, bool round_mm, const void *residual, void *y,    \
                               size_t count)                                                                           \
    {                                                                                                                  \
        add_sum(dtype, y_dtype, left, right, round_mm, residual, y, count);                                            \
    }
NORM_ADD(f16, MMARN_F16, MMARN_F16)
NORM_ADD(f16_wide, MMARN_F16, MMARN_F32)
NORM_ADD(bf16, MMARN_BF16, MMARN_BF16)
NORM_ADD(bf16_wide, MMARN_BF16, MMARN_F32)
NORM_ADD(f32, MMARN_F32, MMARN_F32)

#define NORM_ROW(name, dtype)                                                                                          \
    static void row_##name(const struct norm_row *r)                                                                   \
    {                                                                                                                  \
        row(dtype, r);                                                                                                 \
    }
#define NORM_QUANTISE(name, dtype)                                                                                     \
    static float quantise_##name(const void *row, signed char *out, size_t n)                                          \
    {                                                                                                                  \
        return quantise(dtype, row, out, n);                                                                           \
    }
NORM_QUANTISE(f16, MMARN_F16)
NORM_QUANTISE(bf16, MMARN_BF16)
NORM_QUANTISE(f32, MMARN_F32)

NORM_ROW(f16, MMARN_F16)
NORM_ROW(bf16, MMARN_BF16)
NORM_ROW(f32, MMARN_F32)

#define NORM_TABLE(title, features)                                                                                    \
    {                                                                                                                  \
        .name = title,                                                                                                 \
        .needs = features,                                                                                             \
        .add = {[MMARN_F16] = {add_f16, add_f16_wide},                                                                 \
                [MMARN_BF16] = {add_bf16, add_bf16_wide},                                                              \
                [MMARN_F32] = {add_f32, add_f32}},                                                                     \
        .add_sum = {[MMARN_F16] = {add_sum_f16, add_sum_f16_wide},                                                     \
                    [MMARN_BF16] = {add_sum_bf16, add_sum_bf16_wide},                                                  \
                    [MMARN_F32] = {add_sum_f32, add_sum_f32}},                                                         \
        .row = {[MMARN_F16] = row_f16, [MMARN_BF16] = row_bf16, [MMARN_F32] = row_f32},                                \
        .quantise = {[MMARN_F16] = quantise_f16, [MMARN_BF16] = quantise_bf16, [MMARN_F32] = quantise_f32},            \
    }
