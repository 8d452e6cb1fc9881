/* check_ascend.c - what npu_mm_all_reduce_add_rms_norm itself refuses, and what it does not have. */
#include <string.h>

#include "base/dtype.h"
#include "base/error.h"
#include "op/check.h"
#include "op/tensor.h"
#include "op/weights.h"

enum { QUANT_MOST_AXIS = 65535 };

static bool limited(const mmarn_op_config *config)
{
    return config->ascend && (config->ascend->flags & MMARN_ASCEND_LIMITS);
}

static mmarn_status check_options(const mmarn_ascend_options *options)
{
    if (options->reduce_op && strcmp(options->reduce_op, "sum") != 0)
        return error_set(MMARN_ERR_UNSUPPORTED, "reduce_op is \"%.32s\" but only \"sum\" is supported",
                         options->reduce_op);
    if (options->comm_turn != 0)
        return error_set(MMARN_ERR_UNSUPPORTED, "comm_turn is %lld but only 0 is supported",
                         (long long)options->comm_turn);
    if (options->flags & ~(uint64_t)MMARN_ASCEND_LIMITS)
        return error_set(MMARN_ERR_UNSUPPORTED, "ascend->flags is 0x%llx but only the bits of 0x%x are known",
                         (unsigned long long)options->flags, MMARN_ASCEND_LIMITS);
    return MMARN_OK;
}

static mmarn_status check_axis(const mmarn_op_config *config, const char *name, int64_t size, int64_t most)
{
    if (size <= most)
        return MMARN_OK;
    return error_set(MMARN_ERR_ARGUMENT, "x2 is %s: %s is %lld but the original's limit is %lld",
                     tensor_shape(config->x2), name, (long long)size, (long long)most);
}

static mmarn_status check_axes(const mmarn_op_config *config, const struct op_kind *kind)
{
    const int64_t k = config->x2->shape[0], n = config->x2->shape[1];
    const bool quantised = kind->scenario != OP_FLOAT;
    CHECK(check_axis(config, "k", k, quantised ? QUANT_MOST_AXIS : INT32_MAX));
    /* int8 x int8 bounds x1's and x2's last axes; x2's is k when it is transposed. */
    const bool n_bounded = kind->scenario == OP_WEIGHT_QUANT || (quantised && weights_layout(config->x2) == GEMM_KN);
    return check_axis(config, "n", n, n_bounded ? QUANT_MOST_AXIS : INT32_MAX);
}

mmarn_status check_ascend_config(const mmarn_op_config *config, const struct op_kind *kind, int world_size)
{
    if (!config->ascend)
        return MMARN_OK;
    CHECK(check_options(config->ascend));
    if (!limited(config))
        return MMARN_OK;
    if (world_size != 1 && world_size != 2 && world_size != 4 && world_size != 8)
        return error_set(MMARN_ERR_UNSUPPORTED, "world_size is %d but the original's limits allow 1, 2, 4 and 8",
                         world_size);
    if (config->epsilon >= 1)
        return error_set(MMARN_ERR_ARGUMENT, "epsilon is %g but the original's limits want it below 1",
                         config->epsilon);
    if (config->gamma->dtype == MMARN_F32 || config->x2->dtype == MMARN_I4)
        return error_set(MMARN_ERR_UNSUPPORTED,
                         "gamma is %s and x2 is %s; the original's limits allow neither f32 nor i4",
                         dtype_name(config->gamma->dtype), dtype_name(config->x2->dtype));
    if (config->dequant_scale && config->dequant_scale->dtype == MMARN_F32)
        return error_set(MMARN_ERR_UNSUPPORTED,
                         "dequant_scale is f32 but the original's limits allow i64, u64 and bf16");
    CHECK(check_axes(config, kind));
    return check_flags(config->flags, MMARN_BORROW_X2 | MMARN_BIAS_ONCE);
}

static mmarn_status check_not_there(const char *name, const mmarn_tensor *tensor)
{
    if (!tensor)
        return MMARN_OK;
    return error_set(MMARN_ERR_UNSUPPORTED, "%s is given but the original's limits allow none", name);
}

mmarn_status check_ascend_step(const struct op_call *call)
{
    const mmarn_step *step = &call->step;
    if (!limited(call->config))
        return MMARN_OK;
    const char *like = call->kind.scenario == OP_WEIGHT_QUANT ? "antiquant_scale" : "norm_out";
    CHECK(tensor_check_form("residual", step->residual, 3, 3));
    if (tensor_rows(step->x1) > INT32_MAX)
        return error_set(MMARN_ERR_ARGUMENT, "x1 has %lld rows but the original's limit is %d",
                         (long long)tensor_rows(step->x1), INT32_MAX);
    CHECK(tensor_check_dtype("residual", step->residual, like, op_out_dtype(call)));
    CHECK(tensor_check_dtype("norm_out", step->norm_out, like, op_out_dtype(call)));
    CHECK(check_not_there("x1_scale", step->x1_scale));
    CHECK(check_not_there("x3", step->x3));
    CHECK(check_not_there("mm_out", step->mm_out));
    CHECK(check_not_there("rstd", step->rstd));
    return check_not_there("norm_scale", step->norm_scale);
}
