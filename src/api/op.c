/*
 * op.c - the public doors to the operator and its parts: handles must be given, everything else is op/check.c's, and
 * happens in the floating-point environment that results are defined in.
 */
#include "op/op.h"

#include "base/error.h"
#include "base/float_env.h"
#include "op/quant_word.h"
#include "op/tensor.h"

mmarn_tensor mmarn_tensor_make(void *data, mmarn_dtype dtype, int32_t ndim, const int64_t *shape)
{
    mmarn_tensor tensor = {.data = data, .dtype = dtype};
    tensor.ndim = ndim < 0 ? 0 : ndim > MMARN_MAX_NDIM ? MMARN_MAX_NDIM : ndim;
    uint64_t stride = 1; /* a shape too large for any memory is refused later; its strides may wrap */
    for (int i = tensor.ndim - 1; i >= 0; i--) {
        tensor.shape[i] = shape[i];
        tensor.strides[i] = (int64_t)stride;
        stride *= (uint64_t)shape[i];
    }
    return tensor;
}

mmarn_tensor mmarn_tensor_transpose(const mmarn_tensor *tensor)
{
    mmarn_tensor seen = *tensor;
    int last = tensor->ndim - 1;
    if (last < 1 || last >= MMARN_MAX_NDIM)
        return seen;
    seen.shape[last] = tensor->shape[last - 1];
    seen.shape[last - 1] = tensor->shape[last];
    seen.strides[last] = tensor->strides[last - 1];
    seen.strides[last - 1] = tensor->strides[last];
    return seen;
}

mmarn_status mmarn_op_create(mmarn_comm *comm, const mmarn_op_config *config, mmarn_op **op)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("comm", comm);
    if (status == MMARN_OK)
        status = tensor_check_given("op", op);
    if (status != MMARN_OK)
        return status;
    if (atomic_load(&comm->forked))
        return error_set(MMARN_ERR_FORKED, "comm was made by the parent process; a forked child must make its own");
    return op_create(comm, config, op);
}

mmarn_status mmarn_op_run(mmarn_op *op, const mmarn_tensor *x1, const mmarn_tensor *residual, const mmarn_tensor *y,
                          const mmarn_tensor *norm_out)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("op", op);
    struct op_io io = {x1, residual, y, norm_out, NULL};
    return status == MMARN_OK ? op_run(op, &io) : status;
}

mmarn_status mmarn_op_run_per_token(mmarn_op *op, const mmarn_tensor *x1, const mmarn_tensor *x1_scale,
                                    const mmarn_tensor *residual, const mmarn_tensor *y, const mmarn_tensor *norm_out)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("op", op);
    struct op_io io = {x1, residual, y, norm_out, x1_scale};
    return status == MMARN_OK ? op_run(op, &io) : status;
}

mmarn_status mmarn_op_matmul(mmarn_op *op, const mmarn_tensor *x1, const mmarn_tensor *partial)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("op", op);
    return status == MMARN_OK ? op_matmul(op, x1, partial) : status;
}

void mmarn_op_destroy(mmarn_op *op)
{
    if (op)
        op_destroy(op);
}

mmarn_status mmarn_mm_all_reduce_add_rms_norm(mmarn_comm *comm, const mmarn_op_config *config, const mmarn_tensor *x1,
                                              const mmarn_tensor *residual, const mmarn_tensor *y,
                                              const mmarn_tensor *norm_out)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("comm", comm);
    struct op_io io = {x1, residual, y, norm_out, NULL};
    return status == MMARN_OK ? op_once(comm, config, &io) : status;
}

mmarn_status mmarn_all_reduce(mmarn_comm *comm, mmarn_numerics numerics, const mmarn_tensor *in,
                              const mmarn_tensor *out)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("comm", comm);
    return status == MMARN_OK ? op_all_reduce(comm, (int32_t)numerics, in, out) : status;
}

mmarn_status mmarn_all_reduce_add_rms_norm(mmarn_comm *comm, mmarn_numerics numerics, double epsilon,
                                           const mmarn_tensor *x, const mmarn_tensor *residual,
                                           const mmarn_tensor *gamma, const mmarn_tensor *y,
                                           const mmarn_tensor *norm_out)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("comm", comm);
    struct op_io io = {x, residual, y, norm_out, NULL};
    return status == MMARN_OK ? op_all_reduce_norm(comm, (int32_t)numerics, epsilon, &io, gamma) : status;
}

mmarn_status mmarn_trans_quant_param(const float *scale, int64_t scale_count, const float *offset, int64_t offset_count,
                                     int32_t round_mode, uint64_t *words)
{
    FLOAT_ENV_SCOPE();
    CHECK(tensor_check_given("scale", scale));
    CHECK(tensor_check_given("words", words));
    if (round_mode != 0 && round_mode != 1)
        return error_set(MMARN_ERR_ARGUMENT, "round_mode must be 0 or 1 but is %d", round_mode);
    if (scale_count < 1)
        return error_set(MMARN_ERR_ARGUMENT, "scale_count is %lld; it must be at least 1", (long long)scale_count);
    if (offset_count < 0 || (offset_count > 0) != (offset != NULL))
        return error_set(MMARN_ERR_ARGUMENT, "offset_count is %lld but offset is %s", (long long)offset_count,
                         offset ? "given" : "NULL");
    if (offset && offset_count != scale_count && offset_count != 1 && scale_count != 1)
        return error_set(MMARN_ERR_ARGUMENT, "offset_count is %lld but scale_count is %lld; they must be equal or 1",
                         (long long)offset_count, (long long)scale_count);
    const int64_t count = offset_count > scale_count ? offset_count : scale_count;
    for (int64_t i = 0; i < count; i++)
        words[i] = quant_word_make(scale[scale_count == 1 ? 0 : i], offset,
                                   offset ? offset[offset_count == 1 ? 0 : i] : 0, round_mode == 1);
    return MMARN_OK;
}
