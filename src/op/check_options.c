/*
 * check_options.c - dtypes, layouts and options of the operator's weights, by scenario, and what MMARN_STRICT refuses
 * besides.
 */
#include <string.h>

#include "base/dtype.h"
#include "base/error.h"
#include "gemm/gemm.h"
#include "op/check.h"
#include "op/tensor.h"
#include "op/weights.h"

/* Sums of more products of two bytes may not fit 32 bits: 131072 * 128 * 128 = 2^31. */
enum { INT8_MOST_K = 131071, STRICT_QUANT_AXIS = 65535 };

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
    if (kind->scenario == OP_INT8)
        CHECK(check_float_dtype("gamma", config->gamma->dtype));
    else
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
    CHECK(check_vector("gamma", config->gamma, "x2", n));
    CHECK(tensor_check_contiguous("gamma", config->gamma));
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
    if (config->reduce_op && strcmp(config->reduce_op, "sum") != 0)
        return error_set(MMARN_ERR_UNSUPPORTED, "reduce_op is \"%.32s\" but only \"sum\" is supported",
                         config->reduce_op);
    if (config->comm_turn != 0)
        return error_set(MMARN_ERR_UNSUPPORTED, "comm_turn is %lld but only 0 is supported",
                         (long long)config->comm_turn);
    CHECK(check_numerics(config->numerics));
    const uint32_t known = MMARN_BORROW_X2 | MMARN_BIAS_ONCE | MMARN_STRICT;
    if (config->flags & ~known)
        return error_set(MMARN_ERR_UNSUPPORTED, "flags is 0x%x but only the bits of 0x%x are known", config->flags,
                         known);
    return MMARN_OK;
}

/* ------------------------------------------------------------------------------------------------ MMARN_STRICT */

static mmarn_status check_strict_axis(const mmarn_op_config *config, const char *name, int64_t size, int64_t most)
{
    if (size <= most)
        return MMARN_OK;
    return error_set(MMARN_ERR_ARGUMENT, "x2 is %s: %s is %lld but MMARN_STRICT allows %lld", tensor_shape(config->x2),
                     name, (long long)size, (long long)most);
}

static mmarn_status check_strict_axes(const mmarn_op_config *config, const struct op_kind *kind)
{
    const int64_t k = config->x2->shape[0], n = config->x2->shape[1];
    const bool quantised = kind->scenario != OP_FLOAT;
    CHECK(check_strict_axis(config, "k", k, quantised ? STRICT_QUANT_AXIS : INT32_MAX));
    /* int8 x int8 bounds x1's and x2's last axes; x2's is k when it is transposed. */
    const bool n_bounded = kind->scenario == OP_WEIGHT_QUANT || (quantised && weights_layout(config->x2) == GEMM_KN);
    return check_strict_axis(config, "n", n, n_bounded ? STRICT_QUANT_AXIS : INT32_MAX);
}

static mmarn_status check_strict(const mmarn_op_config *config, const struct op_kind *kind, int world_size)
{
    if (world_size != 1 && world_size != 2 && world_size != 4 && world_size != 8)
        return error_set(MMARN_ERR_UNSUPPORTED, "world_size is %d but MMARN_STRICT allows 1, 2, 4 and 8", world_size);
    if (config->epsilon >= 1)
        return error_set(MMARN_ERR_ARGUMENT, "epsilon is %g but MMARN_STRICT wants it below 1", config->epsilon);
    if (config->gamma->dtype == MMARN_F32 || config->x2->dtype == MMARN_I4)
        return error_set(MMARN_ERR_UNSUPPORTED, "gamma is %s and x2 is %s; MMARN_STRICT allows neither f32 nor i4",
                         dtype_name(config->gamma->dtype), dtype_name(config->x2->dtype));
    if (config->dequant_scale && config->dequant_scale->dtype == MMARN_F32)
        return error_set(MMARN_ERR_UNSUPPORTED, "dequant_scale is f32 but MMARN_STRICT allows i64, u64 and bf16");
    return check_strict_axes(config, kind);
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
    return config->flags & MMARN_STRICT ? check_strict(config, &kind, world_size) : MMARN_OK;
}
