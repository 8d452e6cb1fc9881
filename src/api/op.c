/*
 * op.c - the public doors to the operator and its parts: handles must be given, everything else is op/check.c's, and
 * happens in the floating-point environment that results are defined in.
 */
#include "op/op.h"

#include "base/error.h"
#include "base/float_env.h"
#include "op/growth.h"
#include "op/tensor.h"

mmarn_status mmarn_op_config_init(mmarn_op_config *config, size_t struct_size)
{
    FLOAT_ENV_SCOPE();
    return growth_init(&growth_op_config, config, struct_size);
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
    return status == MMARN_OK ? op_all_reduce(comm, numerics, in, out) : status;
}

mmarn_status mmarn_all_reduce_add_rms_norm(mmarn_comm *comm, mmarn_numerics numerics, double epsilon,
                                           const mmarn_tensor *x, const mmarn_tensor *residual,
                                           const mmarn_tensor *gamma, const mmarn_tensor *y,
                                           const mmarn_tensor *norm_out)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("comm", comm);
    struct op_io io = {x, residual, y, norm_out, NULL};
    return status == MMARN_OK ? op_all_reduce_norm(comm, numerics, epsilon, &io, gamma) : status;
}
