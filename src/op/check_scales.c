/* SPDX-License-Identifier: MIT */
/*
 * check_scales.c - the rules of dequant_scale, antiquant_scale, antiquant_offset and antiquant_group_size.
 */
#include "base/dtype.h"
#include "op/check_pieces.h"
#include "op/check_rules.h"
#include "op/tensor.h"

enum { GROUP_UNIT = 32 };

/* (1), (n) or (1, n). */
static bool scale_shape(const char *name, const mmarn_tensor *scale, int64_t n, struct error *error)
{
    if (!check_axes(name, scale, 1, 2, error))
        return false;
    const int64_t last = tensor_last(scale);
    const bool one = scale->ndim == 1 && last == 1;
    if (!one && (tensor_rows(scale) != 1 || last != n))
        return error_fail(error, MMARN_ERR_ARGUMENT, "%s is %s; it must be (1,), (%lld,) or (1, %lld)", name,
                          tensor_shape(scale), (long long)n, (long long)n);
    return check_contiguous(name, scale, error);
}

static bool dequant_dtype(int32_t scale, int32_t gamma, struct error *error)
{
    const bool words = scale == MMARN_I64 || scale == MMARN_U64;
    if (scale == MMARN_F32 || (words && gamma != MMARN_BF16) || (scale == MMARN_BF16 && gamma != MMARN_F16))
        return true;
    return error_fail(error, MMARN_ERR_UNSUPPORTED, "dequant_scale is %s but gamma is %s, which takes %sf32",
                      dtype_name(scale), dtype_name(gamma),
                      gamma == MMARN_F16    ? "i64, u64 or "
                      : gamma == MMARN_BF16 ? "bf16 or "
                                            : "i64, u64, bf16 or ");
}

static bool group_size(const mmarn_op_config *config, struct error *error)
{
    const int64_t group = config->antiquant_group_size, k = config->x2->shape[0];
    if (group >= GROUP_UNIT && group <= k - 1 && group <= INT32_MAX && group % GROUP_UNIT == 0)
        return true;
    return error_fail(
        error, MMARN_ERR_ARGUMENT,
        "antiquant_group_size is %lld but x2 is %s; it must be 0 or a multiple of 32 from 32 to k - 1 = %lld",
        (long long)group, tensor_shape(config->x2), (long long)k - 1);
}

static bool group_shape(const mmarn_op_config *config, struct error *error)
{
    const int64_t group = config->antiquant_group_size, k = config->x2->shape[0], n = config->x2->shape[1];
    const int64_t groups = (k + group - 1) / group;
    const mmarn_tensor *scale = config->antiquant_scale;
    if (!check_axes("antiquant_scale", scale, 1, 2, error))
        return false;
    if (scale->ndim == 2 && scale->shape[0] == groups && scale->shape[1] == n)
        return true;
    return error_fail(error, MMARN_ERR_ARGUMENT,
                      "antiquant_scale is %s; with antiquant_group_size %lld it must be (%lld, %lld)",
                      tensor_shape(scale), (long long)group, (long long)groups, (long long)n);
}

static bool antiquant_scale(const mmarn_op_config *config, struct error *error)
{
    if (config->antiquant_group_size != 0)
        return group_size(config, error) && group_shape(config, error);
    return scale_shape("antiquant_scale", config->antiquant_scale, config->x2->shape[1], error);
}

static bool antiquant_offset(const mmarn_op_config *config, int32_t dtype, struct error *error)
{
    const mmarn_tensor *offset = config->antiquant_offset;
    if (!offset)
        return true;
    return check_same_shape("antiquant_offset", offset, "antiquant_scale", config->antiquant_scale, error) &&
           check_dtype("antiquant_offset", offset, "antiquant_scale", dtype, error) &&
           (config->antiquant_group_size || check_contiguous("antiquant_offset", offset, error));
}

bool check_scales(const struct op_call *call, struct error *error)
{
    const mmarn_op_config *config = call->config;
    if (call->kind.scenario == OP_FLOAT)
        return true;
    if (call->kind.scenario == OP_WEIGHT_QUANT)
        return antiquant_scale(config, error) && antiquant_offset(config, call->kind.x_dtype, error);
    return dequant_dtype(config->dequant_scale->dtype, config->gamma ? config->gamma->dtype : MMARN_F32, error) &&
           scale_shape("dequant_scale", config->dequant_scale, config->x2->shape[1], error);
}
