/*
 * check_pieces.c - the pieces of checks that several files share, and a configuration's null pointers, shapes and memory. The
 * order within a phase is the order in which the arguments stand in the interface.
 */
#include "op/check.h"

#include <math.h>

#include "base/dtype.h"
#include "base/error.h"
#include "op/growth.h"
#include "op/tensor.h"

/* The original's code of a shape that cannot be multiplied. */
enum { CODE_SHAPE = 161002 };

mmarn_status check_shape_phase(mmarn_status status)
{
    if (status != MMARN_OK && status != MMARN_ERR_NULL)
        error_recode(CODE_SHAPE);
    return status;
}

/* ------------------------------------------------------------------------------------------------- small pieces */

mmarn_status check_epsilon(double epsilon)
{
    if (isfinite((float)epsilon) && (float)epsilon > 0)
        return MMARN_OK;
    return error_set(MMARN_ERR_ARGUMENT, "epsilon is %g, in fp32 %g; it must be above 0 and finite", epsilon,
                     (double)(float)epsilon);
}

mmarn_status check_numerics(int32_t numerics)
{
    if (numerics >= MMARN_NUMERICS_DEFAULT && numerics <= MMARN_NUMERICS_FP32)
        return MMARN_OK;
    return error_set(MMARN_ERR_UNSUPPORTED, "numerics is %d; it must be one of %d to %d", numerics,
                     MMARN_NUMERICS_DEFAULT, MMARN_NUMERICS_FP32);
}

mmarn_status check_flags(uint64_t flags, uint64_t known)
{
    if (!(flags & ~known))
        return MMARN_OK;
    return error_set(MMARN_ERR_UNSUPPORTED, "flags is 0x%llx but only the bits of 0x%llx are known here",
                     (unsigned long long)flags, (unsigned long long)known);
}

mmarn_status check_float_dtype(const char *name, int32_t dtype)
{
    if (dtype_is_float(dtype))
        return MMARN_OK;
    return error_set(MMARN_ERR_UNSUPPORTED, "%s has dtype %d (%s); it must be f16 (%d), bf16 (%d) or f32 (%d)", name,
                     dtype, dtype_name(dtype), MMARN_F16, MMARN_BF16, MMARN_F32);
}

mmarn_status check_vector(const char *name, const mmarn_tensor *vector, const char *of, int64_t n)
{
    CHECK(tensor_check_form(name, vector, 1, 1));
    if (vector->shape[0] != n)
        return error_set(MMARN_ERR_ARGUMENT, "%s is %s but %s's last axis is %lld", name, tensor_shape(vector), of,
                         (long long)n);
    return MMARN_OK;
}

mmarn_status check_same_shape(const char *name, const mmarn_tensor *tensor, const char *like_name,
                              const mmarn_tensor *like)
{
    CHECK(tensor_check_form(name, tensor, 1, MMARN_MAX_NDIM));
    if (!tensor_same_shape(tensor, like))
        return error_set(MMARN_ERR_ARGUMENT, "%s is %s but %s is %s", name, tensor_shape(tensor), like_name,
                         tensor_shape(like));
    return MMARN_OK;
}

mmarn_status check_dtype_or_f32(const char *name, const mmarn_tensor *tensor, const char *like, int32_t dtype)
{
    if (tensor->dtype == dtype || tensor->dtype == MMARN_F32)
        return MMARN_OK;
    return error_set(MMARN_ERR_UNSUPPORTED, "%s is %s but %s is %s; it must be %s%s", name, dtype_name(tensor->dtype),
                     like, dtype_name(dtype), dtype_name(dtype), dtype == MMARN_F32 ? "" : " or f32");
}

/* ---------------------------------------------------------------------------------------------- configuration */

mmarn_status check_config_take(const mmarn_op_config *given, struct op_options *options)
{
    CHECK(growth_take(&growth_op_config, given, &options->config));
    if (!options->config.ascend)
        return MMARN_OK;
    CHECK(growth_take(&growth_ascend_options, options->config.ascend, &options->ascend));
    options->config.ascend = &options->ascend;
    return MMARN_OK;
}

mmarn_status check_config_nulls(const mmarn_op_config *config)
{
    CHECK(tensor_check_given("x2", config->x2));
    if (config->ascend && (config->ascend->flags & MMARN_ASCEND_LIMITS))
        CHECK(tensor_check_given("gamma", config->gamma));
    if (config->x2->dtype == MMARN_I4)
        return tensor_check_given("antiquant_scale", config->antiquant_scale);
    if (config->x2->dtype == MMARN_I8 && !config->dequant_scale && !config->antiquant_scale)
        return error_set(MMARN_ERR_NULL, "dequant_scale and antiquant_scale are NULL but x2 is i8, which needs one");
    return MMARN_OK;
}

static mmarn_status check_x2(const mmarn_tensor *x2)
{
    CHECK(tensor_check_form("x2", x2, 2, 2));
    if (x2->shape[0] == 0)
        return error_set(MMARN_ERR_ARGUMENT, "x2 is %s: k is 0, which leaves nothing to sum", tensor_shape(x2));
    return MMARN_OK;
}

mmarn_status check_config_shapes(const mmarn_op_config *config)
{
    return check_shape_phase(check_x2(config->x2));
}

mmarn_status check_config_memory(const mmarn_op_config *config)
{
    CHECK(tensor_check_data("x2", config->x2));
    CHECK(tensor_check_data("gamma", config->gamma));
    CHECK(tensor_check_data("bias", config->bias));
    CHECK(tensor_check_data("dequant_scale", config->dequant_scale));
    CHECK(tensor_check_data("antiquant_scale", config->antiquant_scale));
    return tensor_check_data("antiquant_offset", config->antiquant_offset);
}
