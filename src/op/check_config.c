/* check_config.c - dtypes, layouts and options of an operator's weights, by scenario. */
#include "base/dtype.h"
#include "base/error.h"
#include "gemm/gemm.h"
#include "op/check.h"
#include "op/tensor.h"
#include "op/weights.h"

/* Sums of more products of two bytes may not fit 32 bits: 131072 * 128 * 128 = 2^31. */
enum { INT8_MOST_K = 131071 };

static mmarn_status check_absent(const char *name, const void *given, const mmarn_op_config *config)
{
    if (!given)
        return MMARN_OK;
    return error_set(MMARN_ERR_UNSUPPORTED, "%s is given but x2 is %s%s, which takes none", name,
                     dtype_name(config->x2->dtype), config->antiquant_scale ? " with antiquant_scale" : "");
}

/* Scales belong to one scenario each. */
static mmarn_status check_scenario(const mmarn_op_config *config, const struct op_kind *kind)
{
    int32_t dtype = config->x2->dtype;
    if (!dtype_is_float(dtype) && dtype != MMARN_I8 && dtype != MMARN_I4)
        return error_set(MMARN_ERR_UNSUPPORTED,
                         "x2 has dtype %d (%s); it must be f16 (%d), bf16 (%d), f32 (%d), i8 (%d) "
                         "or i4 (%d)",
                         dtype, dtype_name(dtype), MMARN_F16, MMARN_BF16, MMARN_F32, MMARN_I8, MMARN_I4);
    if (kind->scenario != OP_INT8)
        CHECK(check_absent("dequant_scale", config->dequant_scale, config));
    if (kind->scenario != OP_WEIGHT_QUANT) {
        CHECK(check_absent("antiquant_scale", config->antiquant_scale, config));
        CHECK(check_absent("antiquant_offset", config->antiquant_offset, config));
        if (config->antiquant_group_size != 0)
            return error_set(MMARN_ERR_UNSUPPORTED, "antiquant_group_size is %lld but there is no antiquant_scale",
                             (long long)config->antiquant_group_size);
    }
    return MMARN_OK;
}

static mmarn_status check_dtypes(const mmarn_op_config *config, const struct op_kind *kind)
{
    if (kind->scenario == OP_WEIGHT_QUANT)
        CHECK(check_float_dtype("antiquant_scale", kind->x_dtype));
    const char *like = kind->scenario == OP_WEIGHT_QUANT ? "antiquant_scale" : "x2";
    if (config->gamma && kind->scenario == OP_INT8)
        CHECK(check_float_dtype("gamma", config->gamma->dtype));
    else if (config->gamma)
        CHECK(check_dtype_or_f32("gamma", config->gamma, like, kind->out_dtype));
    if (!config->bias)
        return MMARN_OK;
    if (kind->scenario == OP_INT8)
        return tensor_check_dtype("bias", config->bias, "an int32 accumulator", MMARN_I32);
    return tensor_check_dtype("bias", config->bias, like, kind->x_dtype);
}

static mmarn_status check_vectors(const mmarn_op_config *config)
{
    const int64_t n = config->x2->shape[1];
    if (config->gamma) {
        CHECK(check_vector("gamma", config->gamma, "x2", n));
        CHECK(tensor_check_contiguous("gamma", config->gamma));
    }
    if (!config->bias)
        return MMARN_OK;
    CHECK(check_vector("bias", config->bias, "x2", n));
    return tensor_check_contiguous("bias", config->bias);
}

static mmarn_status check_x2(const mmarn_tensor *x2, const struct op_kind *kind)
{
    if (weights_layout(x2) == GEMM_PACKED)
        return error_set(
            MMARN_ERR_UNSUPPORTED,
            "x2 is %s with strides (%lld, %lld); it must be contiguous or the transpose of a contiguous array",
            tensor_shape(x2), (long long)x2->strides[0], (long long)x2->strides[1]);
    const int inner = weights_layout(x2) == GEMM_KN ? 1 : 0;
    if (x2->dtype == MMARN_I4 && x2->shape[inner] % 2)
        return error_set(MMARN_ERR_ARGUMENT,
                         "x2 is %s i4 and axis %d, which is contiguous, has %lld elements; it must "
                         "be even",
                         tensor_shape(x2), inner, (long long)x2->shape[inner]);
    if (kind->scenario == OP_INT8 && x2->shape[0] > INT8_MOST_K)
        return error_set(MMARN_ERR_ARGUMENT, "x2 is %s: k is %lld, but int32 sums hold no more than %d products",
                         tensor_shape(x2), (long long)x2->shape[0], INT8_MOST_K);
    return MMARN_OK;
}

static mmarn_status check_plain_options(const mmarn_op_config *config)
{
    CHECK(check_epsilon(config->epsilon));
    CHECK(check_numerics(config->numerics));
    return check_flags(config->flags,
                       MMARN_BORROW_X2 | MMARN_GAMMA_PLUS_ONE | MMARN_BIAS_ONCE | MMARN_NORM_FIRST | MMARN_SHARD_ROWS);
}

mmarn_status check_config_options(const mmarn_op_config *config, int world_size)
{
    const struct op_kind kind = op_kind_of(config);
    CHECK(check_scenario(config, &kind));
    CHECK(check_dtypes(config, &kind));
    CHECK(check_vectors(config));
    CHECK(check_x2(config->x2, &kind));
    CHECK(check_scales(config, &kind));
    CHECK(check_plain_options(config));
    return check_ascend_config(config, &kind, world_size);
}

/* ------------------------------------------------------------------------------------------------ without a matmul */

static mmarn_status check_no_matmul(const char *name, const void *given)
{
    return given ? error_set(MMARN_ERR_UNSUPPORTED, "%s is given but this call has no matmul", name) : MMARN_OK;
}

mmarn_status check_norm_nulls(const mmarn_op_config *config)
{
    CHECK(tensor_check_given("gamma", config->gamma));
    CHECK(check_no_matmul("x2", config->x2));
    CHECK(check_no_matmul("bias", config->bias));
    CHECK(check_no_matmul("dequant_scale", config->dequant_scale));
    CHECK(check_no_matmul("antiquant_scale", config->antiquant_scale));
    CHECK(check_no_matmul("antiquant_offset", config->antiquant_offset));
    CHECK(check_no_matmul("antiquant_group_size", config->antiquant_group_size ? config : NULL));
    return check_no_matmul("ascend", config->ascend);
}

mmarn_status check_norm_options(const struct op_call *call)
{
    const mmarn_op_config *config = call->config;
    const uint32_t flags = MMARN_GAMMA_PLUS_ONE | MMARN_NORM_FIRST;
    CHECK(check_vector("gamma", config->gamma, "x1", tensor_last(call->step.x1)));
    CHECK(check_float_dtype("x1", call->step.x1->dtype));
    CHECK(check_dtype_or_f32("gamma", config->gamma, "x1", call->step.x1->dtype));
    CHECK(tensor_check_contiguous("gamma", config->gamma));
    CHECK(check_epsilon(config->epsilon));
    CHECK(check_numerics(config->numerics));
    return check_flags(config->flags, call->form == MMARN_FORM_ADD_RMS_NORM ? flags : flags | MMARN_SHARD_ROWS);
}
