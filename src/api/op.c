/* op.c - the public doors to the operator and its parts: handles must be given, everything else is op/check.c's. */
#include "op/op.h"

#include "base/error.h"
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
    mmarn_status status = tensor_check_given("op", op);
    struct op_io io = {x1, residual, y, norm_out};
    return status == MMARN_OK ? op_run(op, &io) : status;
}

mmarn_status mmarn_op_matmul(mmarn_op *op, const mmarn_tensor *x1, const mmarn_tensor *partial)
{
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
    mmarn_status status = tensor_check_given("comm", comm);
    struct op_io io = {x1, residual, y, norm_out};
    return status == MMARN_OK ? op_once(comm, config, &io) : status;
}

mmarn_status mmarn_all_reduce(mmarn_comm *comm, mmarn_numerics numerics, const mmarn_tensor *in,
                              const mmarn_tensor *out)
{
    mmarn_status status = tensor_check_given("comm", comm);
    return status == MMARN_OK ? op_all_reduce(comm, (int32_t)numerics, in, out) : status;
}

mmarn_status mmarn_all_reduce_add_rms_norm(mmarn_comm *comm, mmarn_numerics numerics, double epsilon,
                                           const mmarn_tensor *x, const mmarn_tensor *residual,
                                           const mmarn_tensor *gamma, const mmarn_tensor *y,
                                           const mmarn_tensor *norm_out)
{
    mmarn_status status = tensor_check_given("comm", comm);
    struct op_io io = {x, residual, y, norm_out};
    return status == MMARN_OK ? op_all_reduce_norm(comm, (int32_t)numerics, epsilon, &io, gamma) : status;
}
