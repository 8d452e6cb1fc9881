/*
 * norm_table.h - the table of a norm kernel, for the files that include this at their end. By then they have add(),
 * add_sum() and row(), whose first argument is the dtype: here each becomes a function for every dtype.
 */
#include "norm/norm.h"

#define NORM(name, dtype)                                                                                              \
    static void add_##name(const void *mm, const void *residual, void *y, size_t count)                                \
    {                                                                                                                  \
        add(dtype, mm, residual, y, count);                                                                            \
    }                                                                                                                  \
    static void add_sum_##name(const float *left, const float *right, bool round_mm, const void *residual, void *y,    \
                               size_t count)                                                                           \
    {                                                                                                                  \
        add_sum(dtype, left, right, round_mm, residual, y, count);                                                     \
    }                                                                                                                  \
    static void row_##name(const void *y, const void *gamma, void *norm_out, size_t n, float epsilon,                  \
                           bool round_twice)                                                                           \
    {                                                                                                                  \
        row(dtype, y, gamma, norm_out, n, epsilon, round_twice);                                                       \
    }
NORM(f16, MMARN_F16)
NORM(bf16, MMARN_BF16)
NORM(f32, MMARN_F32)

#define NORM_TABLE(title, features)                                                                                    \
    {                                                                                                                  \
        .name = title,                                                                                                 \
        .needs = features,                                                                                             \
        .add = {[MMARN_F16] = add_f16, [MMARN_BF16] = add_bf16, [MMARN_F32] = add_f32},                                \
        .add_sum = {[MMARN_F16] = add_sum_f16, [MMARN_BF16] = add_sum_bf16, [MMARN_F32] = add_sum_f32},                \
        .row = {[MMARN_F16] = row_f16, [MMARN_BF16] = row_bf16, [MMARN_F32] = row_f32},                                \
    }
