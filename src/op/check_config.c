/* SPDX-License-Identifier: MIT */
/*
 * check_config.c - the rules of a configuration: which weights must be given, by scenario, their dtypes and layouts,
 * and the options.
 */
#include "base/dtype.h"
#include "op/ascend.h"
#include "op/check_pieces.h"
#include "op/check_rules.h"
#include "op/tensor.h"
#include "op/weights.h"

/* Sums of more products of two bytes may not fit 32 bits: 131072 * 128 * 128 = 2^31. */
enum { INT8_MOST_K = 131071 };

/* ------------------------------------------------------------------------------------------------- with a matmul */

bool check_weights_given(const struct op_call *call, struct error *error)
{
    const mmarn_op_config *config = call->config;
    if (!check_given("x2", config->x2, error))
        return false;
    if (ascend_limits(config) && !check_given("gamma", config->gamma, error))
        return false;
    if (config->x2->dtype == MMARN_I4)
        return check_given("antiquant_scale", config->antiquant_scale, error);
    if (config->x2->dtype == MMARN_I8 && !config->dequant_scale && !config->antiquant_scale)
        return error_fail(error, MMARN_ERR_NULL,
                          "dequant_scale and antiquant_scale are NULL but x2 is i8, which needs one");
    return true;
}

bool check_x2_shape(const struct op_call *call, struct error *error)
{
    const mmarn_tensor *x2 = call->config->x2;
    if (!check_axes("x2", x2, 2, 2, error))
        return false;
    return x2->shape[0] != 0 ||
           error_fail(error, MMARN_ERR_ARGUMENT, "x2 is %s: k is 0, which leaves nothing to sum", tensor_shape(x2));
}

/* A scale that belongs to another scenario. */
static bool no_scale(const char *name, const void *given, const mmarn_op_config *config, struct error *error)
{
    const char *which = dtype_is_float(config->x2->dtype) ? ""
                        : config->antiquant_scale         ? " with antiquant_scale"
                                                          : " without antiquant_scale";
    return !given || error_fail(error, MMARN_ERR_UNSUPPORTED, "%s is given but x2 is %s%s, which takes none", name,
                                dtype_name(config->x2->dtype), which);
}

bool check_scenario(const struct op_call *call, struct error *error)
{
    const mmarn_op_config *config = call->config;
    const int32_t dtype = config->x2->dtype;
    if (!dtype_is_float(dtype) && dtype != MMARN_I8 && dtype != MMARN_I4)
        return error_fail(error, MMARN_ERR_UNSUPPORTED,
                          "x2 has dtype %d (%s); it must be f16 (%d), bf16 (%d), f32 (%d), i8 (%d) or i4 (%d)", dtype,
                          dtype_name(dtype), MMARN_F16, MMARN_BF16, MMARN_F32, MMARN_I8, MMARN_I4);
    if (call->kind.scenario != OP_INT8 && !no_scale("dequant_scale", config->dequant_scale, config, error))
        return false;
    if (call->kind.scenario == OP_WEIGHT_QUANT)
        return true;
    if (!no_scale("antiquant_scale", config->antiquant_scale, config, error) ||
        !no_scale("antiquant_offset", config->antiquant_offset, config, error))
        return false;
    return config->antiquant_group_size == 0 ||
           error_fail(error, MMARN_ERR_UNSUPPORTED, "antiquant_group_size is %lld but there is no antiquant_scale",
                      (long long)config->antiquant_group_size);
}

static bool gamma_dtype(const struct op_call *call, const char *like, struct error *error)
{
    const mmarn_tensor *gamma = call->config->gamma;
    if (!gamma)
        return true;
    if (call->kind.scenario == OP_INT8)
        return check_float_dtype("gamma", gamma->dtype, error);
    return check_dtype_or_f32("gamma", gamma, like, call->kind.out_dtype, error);
}

bool check_weight_dtypes(const struct op_call *call, struct error *error)
{
    const mmarn_tensor *bias = call->config->bias;
    const bool expanded = call->kind.scenario == OP_WEIGHT_QUANT;
    const char *like = expanded ? "antiquant_scale" : "x2";
    if (expanded && !check_float_dtype("antiquant_scale", call->kind.x_dtype, error))
        return false;
    if (!gamma_dtype(call, like, error))
        return false;
    if (!bias)
        return true;
    if (call->kind.scenario == OP_INT8)
        return check_dtype("bias", bias, "an int32 accumulator", MMARN_I32, error);
    return check_dtype("bias", bias, like, call->kind.x_dtype, error);
}

static bool vector_of_columns(const char *name, const mmarn_tensor *vector, const mmarn_tensor *x2, struct error *error)
{
    return !vector || (check_vector(name, vector, "x2", x2->shape[1], error) && check_contiguous(name, vector, error));
}

bool check_gamma_and_bias(const struct op_call *call, struct error *error)
{
    const mmarn_op_config *config = call->config;
    return vector_of_columns("gamma", config->gamma, config->x2, error) &&
           vector_of_columns("bias", config->bias, config->x2, error);
}

bool check_x2_layout(const struct op_call *call, struct error *error)
{
    const mmarn_tensor *x2 = call->config->x2;
    const enum gemm_layout layout = weights_layout(x2);
    if (layout == GEMM_PACKED)
        return error_fail(
            error, MMARN_ERR_UNSUPPORTED,
            "x2 is %s with strides (%lld, %lld); it must be contiguous or the transpose of a contiguous array",
            tensor_shape(x2), (long long)x2->strides[0], (long long)x2->strides[1]);
    const int inner = layout == GEMM_KN ? 1 : 0;
    if (x2->dtype == MMARN_I4 && x2->shape[inner] % 2)
        return error_fail(error, MMARN_ERR_ARGUMENT,
                          "x2 is %s i4 and axis %d, which is contiguous, has %lld elements; it must be even",
                          tensor_shape(x2), inner, (long long)x2->shape[inner]);
    if (call->kind.scenario == OP_INT8 && x2->shape[0] > INT8_MOST_K)
        return error_fail(error, MMARN_ERR_ARGUMENT,
                          "x2 is %s: k is %lld, but int32 sums hold no more than %d products", tensor_shape(x2),
                          (long long)x2->shape[0], INT8_MOST_K);
    return true;
}

bool check_options(const struct op_call *call, struct error *error)
{
    const mmarn_op_config *config = call->config;
    return check_epsilon(config->epsilon, error) && check_numerics(config->numerics, error) &&
           check_flags(config->flags,
                       MMARN_BORROW_X2 | MMARN_GAMMA_PLUS_ONE | MMARN_BIAS_ONCE | MMARN_NORM_FIRST | MMARN_SHARD_ROWS,
                       error);
}

/* ---------------------------------------------------------------------------------------------- without a matmul */

bool check_norm_given(const struct op_call *call, struct error *error)
{
    const mmarn_op_config *config = call->config;
    const char *why = "this call has no matmul";
    return check_given("gamma", config->gamma, error) && check_absent("x2", config->x2, why, error) &&
           check_absent("bias", config->bias, why, error) &&
           check_absent("dequant_scale", config->dequant_scale, why, error) &&
           check_absent("antiquant_scale", config->antiquant_scale, why, error) &&
           check_absent("antiquant_offset", config->antiquant_offset, why, error) &&
           check_absent("antiquant_group_size", config->antiquant_group_size ? config : NULL, why, error) &&
           check_absent("ascend", config->ascend, why, error);
}

bool check_norm_gamma(const struct op_call *call, struct error *error)
{
    const mmarn_tensor *gamma = call->config->gamma, *x1 = call->step.x1;
    return check_vector("gamma", gamma, "x1", tensor_last(x1), error) && check_float_dtype("x1", x1->dtype, error) &&
           check_dtype_or_f32("gamma", gamma, "x1", x1->dtype, error) && check_contiguous("gamma", gamma, error);
}

bool check_norm_options(const struct op_call *call, struct error *error)
{
    const mmarn_op_config *config = call->config;
    const uint32_t flags = MMARN_GAMMA_PLUS_ONE | MMARN_NORM_FIRST;
    return check_epsilon(config->epsilon, error) && check_numerics(config->numerics, error) &&
           check_flags(config->flags, call->form == MMARN_FORM_ADD_RMS_NORM ? flags : flags | MMARN_SHARD_ROWS, error);
}
