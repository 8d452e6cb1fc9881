/*
 * check.c - null pointers, shapes and memory of the operator's arguments. The order within a phase is the order in
 * which the arguments stand in the interface. Failures of the shape phase carry the specification's code for it.
 */
#include "op/check.h"

#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "base/error.h"
#include "op/tensor.h"

/* The specification's code of a shape that cannot be multiplied. */
enum { CODE_SHAPE = 161002 };

static mmarn_status shape_phase(mmarn_status status)
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

/* ---------------------------------------------------------------------------------------------- configuration */

struct op_kind op_kind_of(const mmarn_op_config *config)
{
    if (dtype_is_float(config->x2->dtype))
        return (struct op_kind){OP_FLOAT, config->x2->dtype, config->x2->dtype};
    if (config->antiquant_scale)
        return (struct op_kind){OP_WEIGHT_QUANT, config->antiquant_scale->dtype, config->antiquant_scale->dtype};
    /* x2 may also be of a dtype that is none; that is refused later. */
    const int32_t gamma = config->gamma->dtype, scale = config->dequant_scale ? config->dequant_scale->dtype : 0;
    const int32_t out = gamma != MMARN_F32                         ? gamma
                        : scale == MMARN_I64 || scale == MMARN_U64 ? MMARN_F16
                        : scale == MMARN_BF16                      ? MMARN_BF16
                                                                   : 0;
    return (struct op_kind){OP_INT8, MMARN_I8, out};
}

int32_t op_out_dtype(const struct op_kind *kind, const struct op_io *io)
{
    return kind->out_dtype ? kind->out_dtype : io->norm_out->dtype;
}

mmarn_status check_config_nulls(const mmarn_op_config *config)
{
    CHECK(tensor_check_given("x2", config->x2));
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
    return shape_phase(check_x2(config->x2));
}

/* ------------------------------------------------------------------------------------------------- one step */

mmarn_status check_io_nulls(const struct op_io *io)
{
    CHECK(tensor_check_given("x1", io->x));
    CHECK(tensor_check_given("residual", io->residual));
    CHECK(tensor_check_given("y", io->y));
    return tensor_check_given("norm_out", io->norm_out);
}

static mmarn_status check_x1(const mmarn_tensor *x1, const mmarn_tensor *x2)
{
    CHECK(tensor_check_form("x1", x1, 2, 3));
    if (tensor_last(x1) != x2->shape[0])
        return error_set(MMARN_ERR_ARGUMENT, "x2 is %s but x1's last axis is %lld", tensor_shape(x2),
                         (long long)tensor_last(x1));
    return MMARN_OK;
}

/* A tensor whose columns are x2's, and whose rows are x1's. */
static mmarn_status check_columns(const char *name, const mmarn_tensor *tensor, const mmarn_tensor *x2)
{
    CHECK(tensor_check_form(name, tensor, 2, 3));
    if (tensor_last(tensor) != x2->shape[1])
        return error_set(MMARN_ERR_ARGUMENT, "%s is %s but x2's last axis is %lld", name, tensor_shape(tensor),
                         (long long)x2->shape[1]);
    return MMARN_OK;
}

static mmarn_status check_rows(const char *name, const mmarn_tensor *tensor, const mmarn_tensor *x1)
{
    if (tensor_rows(tensor) != tensor_rows(x1))
        return error_set(MMARN_ERR_ARGUMENT, "%s is %s, which has %lld rows, but x1 is %s, which has %lld", name,
                         tensor_shape(tensor), (long long)tensor_rows(tensor), tensor_shape(x1),
                         (long long)tensor_rows(x1));
    return MMARN_OK;
}

mmarn_status check_io_shapes(const struct op_io *io, const mmarn_tensor *x2, bool *empty)
{
    CHECK(shape_phase(check_x1(io->x, x2)));
    CHECK(shape_phase(check_columns("residual", io->residual, x2)));
    CHECK(check_rows("residual", io->residual, io->x));
    *empty = tensor_elements(io->residual) == 0;
    return MMARN_OK;
}

mmarn_status check_outputs_apart(const struct op_io *io, const char *x_name, bool may_be_x)
{
    CHECK(tensor_check_apart("y", io->y, x_name, io->x, may_be_x));
    CHECK(tensor_check_apart("y", io->y, "residual", io->residual, true));
    CHECK(tensor_check_apart("norm_out", io->norm_out, x_name, io->x, may_be_x));
    CHECK(tensor_check_apart("norm_out", io->norm_out, "residual", io->residual, false));
    return tensor_check_apart("norm_out", io->norm_out, "y", io->y, false);
}

mmarn_status check_dtype_or_f32(const char *name, const mmarn_tensor *tensor, const char *like, int32_t dtype)
{
    if (tensor->dtype == dtype || tensor->dtype == MMARN_F32)
        return MMARN_OK;
    return error_set(MMARN_ERR_UNSUPPORTED, "%s is %s but %s is %s; it must be %s%s", name, dtype_name(tensor->dtype),
                     like, dtype_name(dtype), dtype_name(dtype), dtype == MMARN_F32 ? "" : " or f32");
}

mmarn_status check_outputs_memory(const struct op_io *io, const char *x_name, const char *like, int32_t dtype)
{
    CHECK(check_dtype_or_f32("residual", io->residual, like, dtype));
    CHECK(tensor_check_dtype("y", io->y, "residual", io->residual->dtype));
    CHECK(tensor_check_dtype("norm_out", io->norm_out, like, dtype));
    CHECK(tensor_check_contiguous(x_name, io->x));
    CHECK(tensor_check_contiguous("residual", io->residual));
    CHECK(tensor_check_contiguous("y", io->y));
    return tensor_check_contiguous("norm_out", io->norm_out);
}

static mmarn_status check_x_scale(const struct op_io *io, const struct op_kind *kind, bool strict)
{
    const mmarn_tensor *scale = io->x_scale;
    if (!scale)
        return MMARN_OK;
    if (kind->scenario != OP_INT8 || strict)
        return error_set(MMARN_ERR_UNSUPPORTED, "x1_scale is given but %s",
                         strict ? "MMARN_STRICT allows none" : "x1 is not i8");
    CHECK(tensor_check_form("x1_scale", scale, 1, 1));
    if (scale->shape[0] != tensor_rows(io->x))
        return error_set(MMARN_ERR_ARGUMENT, "x1_scale is %s but x1 is %s, which has %lld rows", tensor_shape(scale),
                         tensor_shape(io->x), (long long)tensor_rows(io->x));
    CHECK(tensor_check_dtype("x1_scale", scale, "a per-token scale", MMARN_F32));
    CHECK(tensor_check_contiguous("x1_scale", scale));
    CHECK(tensor_check_apart("y", io->y, "x1_scale", scale, false));
    return tensor_check_apart("norm_out", io->norm_out, "x1_scale", scale, false);
}

mmarn_status check_io_options(const struct op_io *io, const mmarn_op_config *config, const struct op_kind *kind)
{
    const bool strict = config->flags & MMARN_STRICT;
    if (strict)
        CHECK(tensor_check_form("residual", io->residual, 3, 3));
    CHECK(check_same_shape("y", io->y, "residual", io->residual));
    CHECK(check_same_shape("norm_out", io->norm_out, "residual", io->residual));
    if (strict && tensor_rows(io->x) > INT32_MAX)
        return error_set(MMARN_ERR_ARGUMENT, "x1 has %lld rows but MMARN_STRICT allows %d",
                         (long long)tensor_rows(io->x), INT32_MAX);
    const char *x_like = kind->scenario == OP_WEIGHT_QUANT ? "antiquant_scale" : "x2";
    CHECK(tensor_check_dtype("x1", io->x, x_like, kind->x_dtype));
    const int32_t out_dtype = op_out_dtype(kind, io);
    const char *out_like = kind->scenario != OP_INT8 ? x_like : kind->out_dtype ? "this operator's output" : "norm_out";
    CHECK(check_float_dtype("norm_out", out_dtype));
    if (strict)
        CHECK(tensor_check_dtype("residual", io->residual, out_like, out_dtype));
    CHECK(check_outputs_memory(io, "x1", out_like, out_dtype));
    CHECK(check_x_scale(io, kind, strict));
    CHECK(check_outputs_apart(io, "x1", false));
    const struct {
        const char *name;
        const mmarn_tensor *tensor;
    } outputs[] = {{"y", io->y}, {"norm_out", io->norm_out}};
    for (int i = 0; i < 2; i++) {
        CHECK(tensor_check_apart(outputs[i].name, outputs[i].tensor, "x2", config->x2, false));
        CHECK(tensor_check_apart(outputs[i].name, outputs[i].tensor, "gamma", config->gamma, false));
        CHECK(tensor_check_apart(outputs[i].name, outputs[i].tensor, "bias", config->bias, false));
    }
    return MMARN_OK;
}

mmarn_status check_matmul(const mmarn_tensor *x1, const mmarn_op_config *config, const struct op_kind *kind,
                          const mmarn_tensor *partial, bool *empty)
{
    CHECK(tensor_check_given("x1", x1));
    CHECK(tensor_check_given("partial", partial));
    CHECK(shape_phase(check_x1(x1, config->x2)));
    CHECK(shape_phase(check_columns("partial", partial, config->x2)));
    CHECK(check_rows("partial", partial, x1));
    *empty = tensor_elements(partial) == 0;
    if (*empty)
        return MMARN_OK;
    CHECK(tensor_check_dtype("x1", x1, "this operator's x1", kind->x_dtype));
    CHECK(tensor_check_dtype("partial", partial, "mmarn_op_matmul's result", MMARN_F32));
    CHECK(tensor_check_contiguous("x1", x1));
    CHECK(tensor_check_contiguous("partial", partial));
    CHECK(tensor_check_apart("partial", partial, "x1", x1, false));
    return tensor_check_apart("partial", partial, "x2", config->x2, false);
}
