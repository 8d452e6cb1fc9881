/* SPDX-License-Identifier: MIT */
/*
 * choice.c - names the kernel that multiplies weights with a number of rows of x1. It uses the same conditions as
 * tile*.c, under the same names.
 */
#include "gemm/tile.h"

static bool takes_bf16(const struct gemm_kernels *kernels, const struct gemm_weights *weights, int64_t rows)
{
    const struct gemm_tiling *tiling = kernels->tiling;
    if (weights->x_dtype != MMARN_BF16 || !kernels->bf16.block)
        return false;
    if (weights->dtype != MMARN_BF16)
        return weights->rounded ? rows >= tiling->bf16_from_rows : rows > tiling->quant_few_rows;
    return rows >= tiling->bf16_from_rows && (weights->layout != GEMM_KN || rows > tiling->pack_above_rows);
}

static bool takes_few_pairs(const struct gemm_kernels *kernels, const struct gemm_weights *weights)
{
    return weights->x_dtype == MMARN_BF16 && kernels->bf16.block && kernels->few_pairs[weights->dtype];
}

struct gemm_choice gemm_choice_of(const struct gemm_weights *weights, int64_t rows)
{
    const struct gemm_kernels *kernels = gemm_kernels_best();
    if (weights->x_dtype == MMARN_I8)
        return (struct gemm_choice){kernels->i8.name, "int8"};
    if (takes_bf16(kernels, weights, rows))
        return (struct gemm_choice){kernels->bf16.name, "bf16"};
    if (weights->dtype == weights->x_dtype)
        return (struct gemm_choice){kernels->block_name[weights->dtype], "fp32"};
    if (rows <= kernels->tiling->quant_few_rows && !weights->rounded)
        return takes_few_pairs(kernels, weights) ? (struct gemm_choice){kernels->few_pairs_name[weights->dtype], "bf16"}
                                                 : (struct gemm_choice){kernels->few_name[weights->dtype], "fp32"};
    return (struct gemm_choice){kernels->block_name[MMARN_F32], "fp32"};
}
