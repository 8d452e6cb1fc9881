/*
 * check.c - the operator's rules for its weights, options and tensors. The order within a phase is the order in which
 * the arguments stand in the interface. No sentence is written anywhere else for these.
 */
#include "op/check.h"

#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "base/error.h"
#include "op/tensor.h"

/* Runs the checks one after another, up to the first that fails. */
#define CHECK(call)                                                                                                    \
    do {                                                                                                               \
        mmarn_status check_status = (call);                                                                            \
        if (check_status != MMARN_OK)                                                                                  \
            return check_status;                                                                                       \
    } while (0)

int64_t check_last(const mmarn_tensor *tensor)
{
    return tensor->shape[tensor->ndim - 1];
}

int64_t check_rows(const mmarn_tensor *tensor)
{
    int64_t rows = 1;
    for (int i = 0; i < tensor->ndim - 1; i++)
        rows *= tensor->shape[i];
    return rows;
}

/* -------------------------------------------------------------------------------------------- single options */

static mmarn_status check_epsilon(double epsilon)
{
    if (isfinite((float)epsilon) && (float)epsilon > 0)
        return MMARN_OK;
    return error_set(MMARN_ERR_ARGUMENT, "epsilon is %g, in fp32 %g; it must be above 0 and finite", epsilon,
                     (double)(float)epsilon);
}

static mmarn_status check_numerics(int32_t numerics)
{
    if (numerics >= MMARN_NUMERICS_DEFAULT && numerics <= MMARN_NUMERICS_FP32)
        return MMARN_OK;
    return error_set(MMARN_ERR_UNSUPPORTED, "numerics is %d; it must be one of %d to %d", numerics,
                     MMARN_NUMERICS_DEFAULT, MMARN_NUMERICS_FP32);
}

static mmarn_status check_float_dtype(const char *name, int32_t dtype)
{
    if (dtype_valid(dtype))
        return MMARN_OK;
    return error_set(MMARN_ERR_UNSUPPORTED, "%s has dtype %d; it must be f16 (%d), bf16 (%d) or f32 (%d)", name, dtype,
                     MMARN_F16, MMARN_BF16, MMARN_F32);
}

/* ---------------------------------------------------------------------------------------------- configuration */

mmarn_status check_config_nulls(const mmarn_op_config *config)
{
    CHECK(tensor_check_given("config", config));
    if (config->struct_size != sizeof *config)
        return error_set(MMARN_ERR_ARGUMENT, "config->struct_size is %zu but this library's mmarn_op_config has %zu",
                         config->struct_size, sizeof *config);
    CHECK(tensor_check_given("x2", config->x2));
    return tensor_check_given("gamma", config->gamma);
}

static mmarn_status check_vector(const char *name, const mmarn_tensor *vector, const char *of, int64_t n)
{
    CHECK(tensor_check_form(name, vector, 1, 1));
    if (vector->shape[0] != n)
        return error_set(MMARN_ERR_ARGUMENT, "%s is %s but %s's last axis is %lld", name, tensor_shape(vector), of,
                         (long long)n);
    return MMARN_OK;
}

mmarn_status check_config_shapes(const mmarn_op_config *config)
{
    CHECK(tensor_check_form("x2", config->x2, 2, 2));
    int64_t n = config->x2->shape[1];
    CHECK(check_vector("gamma", config->gamma, "x2", n));
    if (config->bias)
        CHECK(check_vector("bias", config->bias, "x2", n));
    if (config->x2->shape[0] == 0)
        return error_set(MMARN_ERR_ARGUMENT, "x2 is %s: k is 0, which leaves nothing to sum", tensor_shape(config->x2));
    return MMARN_OK;
}

static bool is_kn(const mmarn_tensor *x2)
{
    return tensor_contiguous(x2);
}

static bool is_nk(const mmarn_tensor *x2)
{
    mmarn_tensor seen = mmarn_tensor_transpose(x2);
    return tensor_contiguous(&seen);
}

static mmarn_status check_weight_layout(const mmarn_tensor *x2)
{
    if (is_kn(x2) || is_nk(x2))
        return MMARN_OK;
    return error_set(MMARN_ERR_UNSUPPORTED,
                     "x2 is %s with strides (%lld, %lld); it must be contiguous or the transpose of a contiguous array",
                     tensor_shape(x2), (long long)x2->strides[0], (long long)x2->strides[1]);
}

struct gemm_weights check_weights(const mmarn_tensor *x2)
{
    bool kn = is_kn(x2);
    return (struct gemm_weights){
        .dtype = x2->dtype,
        .layout = kn ? GEMM_KN : GEMM_NK,
        .k = x2->shape[0],
        .n = x2->shape[1],
        .data = x2->data,
        .ld = kn ? x2->shape[1] : x2->shape[0],
    };
}

mmarn_status check_config_options(const mmarn_op_config *config)
{
    int32_t dtype = config->x2->dtype;
    CHECK(check_float_dtype("x2", dtype));
    CHECK(tensor_check_dtype("gamma", config->gamma, "x2", dtype));
    if (config->bias)
        CHECK(tensor_check_dtype("bias", config->bias, "x2", dtype));
    CHECK(check_weight_layout(config->x2));
    CHECK(tensor_check_contiguous("gamma", config->gamma));
    if (config->bias)
        CHECK(tensor_check_contiguous("bias", config->bias));
    CHECK(check_epsilon(config->epsilon));
    if (config->reduce_op && strcmp(config->reduce_op, "sum") != 0)
        return error_set(MMARN_ERR_UNSUPPORTED, "reduce_op is \"%.32s\" but only \"sum\" is supported",
                         config->reduce_op);
    if (config->comm_turn != 0)
        return error_set(MMARN_ERR_UNSUPPORTED, "comm_turn is %lld but only 0 is supported",
                         (long long)config->comm_turn);
    CHECK(check_numerics(config->numerics));
    uint32_t known = MMARN_BORROW_X2 | MMARN_BIAS_ONCE;
    if (config->flags & ~known)
        return error_set(MMARN_ERR_UNSUPPORTED, "flags is 0x%x but only the bits of 0x%x are known", config->flags,
                         known);
    return MMARN_OK;
}

/* ------------------------------------------------------------------------------------------------- one step */

mmarn_status check_io_nulls(const struct op_io *io)
{
    CHECK(tensor_check_given("x1", io->x));
    CHECK(tensor_check_given("residual", io->residual));
    CHECK(tensor_check_given("y", io->y));
    return tensor_check_given("norm_out", io->norm_out);
}

static mmarn_status check_same_shape(const char *name, const mmarn_tensor *tensor, const char *like_name,
                                     const mmarn_tensor *like)
{
    CHECK(tensor_check_form(name, tensor, 1, MMARN_MAX_NDIM));
    if (!tensor_same_shape(tensor, like))
        return error_set(MMARN_ERR_ARGUMENT, "%s is %s but %s is %s", name, tensor_shape(tensor), like_name,
                         tensor_shape(like));
    return MMARN_OK;
}

static mmarn_status check_x1(const mmarn_tensor *x1, const mmarn_tensor *x2)
{
    CHECK(tensor_check_form("x1", x1, 2, 3));
    if (check_last(x1) != x2->shape[0])
        return error_set(MMARN_ERR_ARGUMENT, "x2 is %s but x1's last axis is %lld", tensor_shape(x2),
                         (long long)check_last(x1));
    return MMARN_OK;
}

/* A tensor whose rows are x1's and whose columns are x2's. */
static mmarn_status check_product(const char *name, const mmarn_tensor *tensor, const mmarn_tensor *x1,
                                  const mmarn_tensor *x2)
{
    CHECK(tensor_check_form(name, tensor, 2, 3));
    if (check_rows(tensor) != check_rows(x1))
        return error_set(MMARN_ERR_ARGUMENT, "%s is %s, which has %lld rows, but x1 is %s, which has %lld", name,
                         tensor_shape(tensor), (long long)check_rows(tensor), tensor_shape(x1),
                         (long long)check_rows(x1));
    if (check_last(tensor) != x2->shape[1])
        return error_set(MMARN_ERR_ARGUMENT, "%s is %s but x2's last axis is %lld", name, tensor_shape(tensor),
                         (long long)x2->shape[1]);
    return MMARN_OK;
}

mmarn_status check_io_shapes(const struct op_io *io, const mmarn_tensor *x2, bool *empty)
{
    CHECK(check_x1(io->x, x2));
    CHECK(check_product("residual", io->residual, io->x, x2));
    CHECK(check_same_shape("y", io->y, "residual", io->residual));
    CHECK(check_same_shape("norm_out", io->norm_out, "residual", io->residual));
    *empty = tensor_elements(io->residual) == 0;
    return MMARN_OK;
}

/* Outputs: y apart from everything but, where allowed, residual and x; norm_out from everything but, where allowed, x.
 */
static mmarn_status check_outputs_apart(const struct op_io *io, const char *x_name, bool may_be_x)
{
    CHECK(tensor_check_apart("y", io->y, x_name, io->x, may_be_x));
    CHECK(tensor_check_apart("y", io->y, "residual", io->residual, true));
    CHECK(tensor_check_apart("norm_out", io->norm_out, x_name, io->x, may_be_x));
    CHECK(tensor_check_apart("norm_out", io->norm_out, "residual", io->residual, false));
    return tensor_check_apart("norm_out", io->norm_out, "y", io->y, false);
}

static mmarn_status check_io_memory(const struct op_io *io, const char *x_name, int32_t dtype, const char *like)
{
    CHECK(tensor_check_dtype(x_name, io->x, like, dtype));
    CHECK(tensor_check_dtype("residual", io->residual, like, dtype));
    CHECK(tensor_check_dtype("y", io->y, like, dtype));
    CHECK(tensor_check_dtype("norm_out", io->norm_out, like, dtype));
    CHECK(tensor_check_contiguous(x_name, io->x));
    CHECK(tensor_check_contiguous("residual", io->residual));
    CHECK(tensor_check_contiguous("y", io->y));
    return tensor_check_contiguous("norm_out", io->norm_out);
}

mmarn_status check_io_options(const struct op_io *io, const mmarn_op_config *config)
{
    CHECK(check_io_memory(io, "x1", config->x2->dtype, "x2"));
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

mmarn_status check_matmul(const mmarn_tensor *x1, const mmarn_tensor *x2, const mmarn_tensor *partial, bool *empty)
{
    CHECK(tensor_check_given("x1", x1));
    CHECK(tensor_check_given("partial", partial));
    CHECK(check_x1(x1, x2));
    CHECK(check_product("partial", partial, x1, x2));
    *empty = tensor_elements(partial) == 0;
    if (*empty)
        return MMARN_OK;
    CHECK(tensor_check_dtype("x1", x1, "x2", x2->dtype));
    CHECK(tensor_check_dtype("partial", partial, "mmarn_op_matmul's result", MMARN_F32));
    CHECK(tensor_check_contiguous("x1", x1));
    CHECK(tensor_check_contiguous("partial", partial));
    CHECK(tensor_check_apart("partial", partial, "x1", x1, false));
    return tensor_check_apart("partial", partial, "x2", x2, false);
}

/* --------------------------------------------------------------------------------------------- the parts alone */

mmarn_status check_all_reduce(int32_t numerics, const mmarn_tensor *in, const mmarn_tensor *out, bool *empty)
{
    CHECK(tensor_check_given("in", in));
    CHECK(tensor_check_given("out", out));
    CHECK(tensor_check_form("in", in, 1, MMARN_MAX_NDIM));
    CHECK(check_same_shape("out", out, "in", in));
    *empty = tensor_elements(in) == 0;
    if (*empty)
        return MMARN_OK;
    CHECK(check_float_dtype("in", in->dtype));
    CHECK(tensor_check_dtype("out", out, "in", in->dtype));
    CHECK(tensor_check_contiguous("in", in));
    CHECK(tensor_check_contiguous("out", out));
    CHECK(check_numerics(numerics));
    return tensor_check_apart("out", out, "in", in, true);
}

mmarn_status check_all_reduce_norm(int32_t numerics, double epsilon, const struct op_io *io, const mmarn_tensor *gamma,
                                   bool *empty)
{
    CHECK(tensor_check_given("x", io->x));
    CHECK(tensor_check_given("residual", io->residual));
    CHECK(tensor_check_given("gamma", gamma));
    CHECK(tensor_check_given("y", io->y));
    CHECK(tensor_check_given("norm_out", io->norm_out));
    CHECK(tensor_check_form("x", io->x, 2, 3));
    CHECK(check_same_shape("residual", io->residual, "x", io->x));
    CHECK(check_vector("gamma", gamma, "x", check_last(io->x)));
    CHECK(check_same_shape("y", io->y, "x", io->x));
    CHECK(check_same_shape("norm_out", io->norm_out, "x", io->x));
    *empty = tensor_elements(io->x) == 0;
    if (*empty)
        return MMARN_OK;
    CHECK(check_float_dtype("x", io->x->dtype));
    CHECK(check_io_memory(io, "x", io->x->dtype, "x"));
    CHECK(tensor_check_dtype("gamma", gamma, "x", io->x->dtype));
    CHECK(tensor_check_contiguous("gamma", gamma));
    CHECK(check_epsilon(epsilon));
    CHECK(check_numerics(numerics));
    CHECK(check_outputs_apart(io, "x", true));
    CHECK(tensor_check_apart("y", io->y, "gamma", gamma, false));
    return tensor_check_apart("norm_out", io->norm_out, "gamma", gamma, false);
}
