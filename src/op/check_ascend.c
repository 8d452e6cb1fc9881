/* SPDX-License-Identifier: MIT */
/* check_ascend.c - what npu_mm_all_reduce_add_rms_norm itself refuses, and what it does not have. */
#include <string.h>

#include "base/dtype.h"
#include "op/ascend.h"
#include "op/check_pieces.h"
#include "op/check_rules.h"
#include "op/tensor.h"
#include "op/weights.h"

enum { QUANT_MOST_AXIS = 65535 };

static bool options_fit(const mmarn_ascend_options *options, struct error *error)
{
    if (options->reduce_op && strcmp(options->reduce_op, "sum") != 0)
        return error_fail(error, MMARN_ERR_UNSUPPORTED, "reduce_op is \"%.32s\" but only \"sum\" is supported",
                          options->reduce_op);
    if (options->comm_turn != 0)
        return error_fail(error, MMARN_ERR_UNSUPPORTED, "comm_turn is %lld but only 0 is supported",
                          (long long)options->comm_turn);
    if (options->flags & ~(uint64_t)MMARN_ASCEND_LIMITS)
        return error_fail(error, MMARN_ERR_UNSUPPORTED, "ascend->flags is 0x%llx but only the bits of 0x%x are known",
                          (unsigned long long)options->flags, MMARN_ASCEND_LIMITS);
    return true;
}

static bool axis_fits(const mmarn_op_config *config, const char *name, int64_t size, int64_t most, struct error *error)
{
    return size <= most ||
           error_fail(error, MMARN_ERR_ARGUMENT, "x2 is %s: %s is %lld but the original's limit is %lld",
                      tensor_shape(config->x2), name, (long long)size, (long long)most);
}

static bool axes_fit(const mmarn_op_config *config, enum op_scenario scenario, struct error *error)
{
    const int64_t k = config->x2->shape[0], n = config->x2->shape[1];
    const bool quantised = scenario != OP_FLOAT;
    /* int8 x int8 bounds x1's and x2's last axes; x2's is k when it is transposed. */
    const bool n_bounded = scenario == OP_WEIGHT_QUANT || (quantised && weights_layout(config->x2) == GEMM_KN);
    return axis_fits(config, "k", k, quantised ? QUANT_MOST_AXIS : INT32_MAX, error) &&
           axis_fits(config, "n", n, n_bounded ? QUANT_MOST_AXIS : INT32_MAX, error);
}

bool check_ascend_config(const struct op_call *call, struct error *error)
{
    const mmarn_op_config *config = call->config;
    const int world_size = call->world_size;
    if (config->ascend && !options_fit(config->ascend, error))
        return false;
    if (!ascend_limits(config))
        return true;
    if (world_size != 1 && world_size != 2 && world_size != 4 && world_size != 8)
        return error_fail(error, MMARN_ERR_UNSUPPORTED,
                          "world_size is %d but the original's limits allow 1, 2, 4 and 8", world_size);
    if (config->epsilon >= 1)
        return error_fail(error, MMARN_ERR_ARGUMENT, "epsilon is %g but the original's limits want it below 1",
                          config->epsilon);
    if (config->gamma->dtype == MMARN_F32 || config->x2->dtype == MMARN_I4)
        return error_fail(error, MMARN_ERR_UNSUPPORTED,
                          "gamma is %s and x2 is %s; the original's limits allow neither f32 nor i4",
                          dtype_name(config->gamma->dtype), dtype_name(config->x2->dtype));
    if (config->dequant_scale && config->dequant_scale->dtype == MMARN_F32)
        return error_fail(error, MMARN_ERR_UNSUPPORTED,
                          "dequant_scale is f32 but the original's limits allow i64, u64 and bf16");
    return axes_fit(config, call->kind.scenario, error) &&
           check_flags(config->flags, MMARN_BORROW_X2 | MMARN_BIAS_ONCE, error);
}

bool check_ascend_given(const struct op_call *call, struct error *error)
{
    const mmarn_step *step = &call->step;
    return !ascend_limits(call->config) ||
           (check_given("residual", step->residual, error) && check_given("y", step->y, error) &&
            check_given("norm_out", step->norm_out, error));
}

bool check_ascend_step(const struct op_call *call, struct error *error)
{
    const mmarn_step *step = &call->step;
    if (!ascend_limits(call->config))
        return true;
    const char *like = call->kind.scenario == OP_WEIGHT_QUANT ? "antiquant_scale" : "norm_out";
    const char *none = "the original's limits allow none";
    if (!check_axes("residual", step->residual, 3, 3, error))
        return false;
    if (tensor_rows(step->x1) > INT32_MAX)
        return error_fail(error, MMARN_ERR_ARGUMENT, "x1 has %lld rows but the original's limit is %d",
                          (long long)tensor_rows(step->x1), INT32_MAX);
    return check_dtype("residual", step->residual, like, op_out_dtype(call), error) &&
           check_dtype("norm_out", step->norm_out, like, op_out_dtype(call), error) &&
           check_absent("x1_scale", step->x1_scale, none, error) && check_absent("x3", step->x3, none, error) &&
           check_absent("mm_out", step->mm_out, none, error) && check_absent("rstd", step->rstd, none, error) &&
           check_absent("norm_scale", step->norm_scale, none, error);
}
