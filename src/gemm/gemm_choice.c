/*
 * gemm_choice.c - which kernel multiplies weights with so many rows of x1, for those who want to know: the same
 * conditions as gemm_tile*.c, by the same names.
 */
#include "gemm/gemm_tile.h"

static bool takes_pairs(const struct gemm_weights *weights, int64_t rows)
{
    if (weights->x_dtype != MMARN_BF16 || !dot_kernel_best())
        return false;
    if (weights->dtype != MMARN_BF16)
        return rows > GEMM_FEW_ROWS_EXPANDED;
    return rows >= GEMM_DOT_ROWS && (weights->layout != GEMM_KN || rows > GEMM_FEW_ROWS);
}

struct gemm_choice gemm_choice_of(const struct gemm_weights *weights, int64_t rows)
{
    if (weights->x_dtype == MMARN_I8)
        return (struct gemm_choice){quant_kernel_best()->name, "int8"};
    if (takes_pairs(weights, rows))
        return (struct gemm_choice){dot_kernel_best()->name, "bf16"};
    if (weights->dtype != weights->x_dtype && rows <= GEMM_FEW_ROWS_EXPANDED)
        return (struct gemm_choice){quant_kernel_best()->name, "fp32"};
    return (struct gemm_choice){gemm_kernel_best()->name, "fp32"};
}

int64_t gemm_weights_bytes(const struct gemm_weights *weights)
{
    if (weights->layout != GEMM_PACKED)
        return gemm_bytes(weights->dtype, weights->k * weights->n);
    return (weights->n + GEMM_NR - 1) / GEMM_NR * gemm_bytes(weights->dtype, gemm_panel(weights->dtype, weights->k));
}
