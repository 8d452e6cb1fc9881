/*
 * check_scales.c - the rules of dequant_scale, antiquant_scale, antiquant_offset and antiquant_group_size.
 */
#include "base/dtype.h"
#include "base/error.h"
#include "op/check.h"
#include "op/tensor.h"

enum { GROUP_UNIT = 32 };

/* (1), (n) or (1, n). */
static mmarn_status check_scale_shape(const char *name, const mmarn_tensor *scale, int64_t n)
{
    CHECK(tensor_check_form(name, scale, 1, 2));
    const int64_t last = tensor_last(scale);
    const bool one = scale->ndim == 1 && last == 1;
    if (!one && (tensor_rows(scale) != 1 || last != n))
        return error_set(MMARN_ERR_ARGUMENT, "%s is %s; it must be (1,), (%lld,) or (1, %lld)", name,
                         tensor_shape(scale), (long long)n, (long long)n);
    return tensor_check_contiguous(name, scale);
}

static mmarn_status check_dequant_dtype(int32_t scale, int32_t gamma)
{
    const bool words = scale == MMARN_I64 || scale == MMARN_U64;
    if (scale == MMARN_F32 || (words && gamma != MMARN_BF16) || (scale == MMARN_BF16 && gamma != MMARN_F16))
        return MMARN_OK;
    return error_set(MMARN_ERR_UNSUPPORTED, "dequant_scale is %s but gamma is %s, which takes %sf32", dtype_name(scale),
                     dtype_name(gamma),
                     gamma == MMARN_F16    ? "i64, u64 or "
                     : gamma == MMARN_BF16 ? "bf16 or "
                                           : "i64, u64, bf16 or ");
}

static mmarn_status check_group_size(const mmarn_op_config *config)
{
    const int64_t group = config->antiquant_group_size, k = config->x2->shape[0];
    if (group >= GROUP_UNIT && group <= k - 1 && group <= INT32_MAX && group % GROUP_UNIT == 0)
        return MMARN_OK;
    return error_set(
        MMARN_ERR_ARGUMENT,
        "antiquant_group_size is %lld but x2 is %s; it must be 0 or a multiple of 32 from 32 to k - 1 = %lld",
        (long long)group, tensor_shape(config->x2), (long long)k - 1);
}

static mmarn_status check_group_shape(const mmarn_op_config *config)
{
    const int64_t group = config->antiquant_group_size, k = config->x2->shape[0], n = config->x2->shape[1];
    const int64_t groups = (k + group - 1) / group;
    const mmarn_tensor *scale = config->antiquant_scale;
    CHECK(tensor_check_form("antiquant_scale", scale, 1, 2));
    if (scale->ndim == 2 && scale->shape[0] == groups && scale->shape[1] == n)
        return MMARN_OK;
    return error_set(MMARN_ERR_ARGUMENT,
                     "antiquant_scale is %s; with antiquant_group_size %lld it must be (%lld, %lld)",
                     tensor_shape(scale), (long long)group, (long long)groups, (long long)n);
}

static mmarn_status check_antiquant(const mmarn_op_config *config, const struct op_kind *kind)
{
    if (config->antiquant_group_size != 0) {
        CHECK(check_group_size(config));
        CHECK(check_group_shape(config));
    } else {
        CHECK(check_scale_shape("antiquant_scale", config->antiquant_scale, config->x2->shape[1]));
    }
    if (!config->antiquant_offset)
        return MMARN_OK;
    CHECK(check_same_shape("antiquant_offset", config->antiquant_offset, "antiquant_scale", config->antiquant_scale));
    CHECK(tensor_check_dtype("antiquant_offset", config->antiquant_offset, "antiquant_scale", kind->x_dtype));
    return config->antiquant_group_size ? MMARN_OK
                                        : tensor_check_contiguous("antiquant_offset", config->antiquant_offset);
}

mmarn_status check_scales(const mmarn_op_config *config, const struct op_kind *kind)
{
    if (kind->scenario == OP_WEIGHT_QUANT)
        return check_antiquant(config, kind);
    if (kind->scenario == OP_FLOAT)
        return MMARN_OK;
    CHECK(check_dequant_dtype(config->dequant_scale->dtype, config->gamma ? config->gamma->dtype : MMARN_F32));
    return check_scale_shape("dequant_scale", config->dequant_scale, config->x2->shape[1]);
}
