/*
 * op.c - the public doors to the operator and its parts: handles must be given, everything else is op/check.c's, and
 * happens in the floating-point environment that results are defined in.
 */
#include "op/op.h"

#include "base/error.h"
#include "base/float_env.h"
#include "op/check.h"
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

mmarn_status mmarn_step_init(mmarn_step *step, size_t struct_size)
{
    FLOAT_ENV_SCOPE();
    return growth_init(&growth_step, step, struct_size);
}

mmarn_status mmarn_ascend_options_init(mmarn_ascend_options *options, size_t struct_size)
{
    FLOAT_ENV_SCOPE();
    return growth_init(&growth_ascend_options, options, struct_size);
}

mmarn_status mmarn_shard(int64_t rows, int32_t rank, int32_t world_size, int64_t *first, int64_t *count)
{
    FLOAT_ENV_SCOPE();
    CHECK(tensor_check_given("first", first));
    CHECK(tensor_check_given("count", count));
    if (rows < 0)
        return error_set(MMARN_ERR_ARGUMENT, "rows is %lld; it must not be negative", (long long)rows);
    if (world_size < 1 || world_size > MMARN_MAX_RANKS)
        return error_set(MMARN_ERR_ARGUMENT, "world_size is %d; a group has 1 to %d ranks", world_size,
                         MMARN_MAX_RANKS);
    if (rank < 0 || rank >= world_size)
        return error_set(MMARN_ERR_ARGUMENT, "rank is %d but world_size is %d", rank, world_size);
    const struct op_rows own = op_rows_shard(rows, rank, world_size);
    *first = own.first;
    *count = own.count;
    return MMARN_OK;
}

mmarn_status mmarn_check(mmarn_form form, int32_t rank, int32_t world_size, const mmarn_op_config *config,
                         const mmarn_step *step)
{
    FLOAT_ENV_SCOPE();
    return check_without_a_group(form, rank, world_size, config, step);
}

mmarn_status mmarn_op_run(mmarn_op *op, const mmarn_step *step)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("op", op);
    return status == MMARN_OK ? op_run(op, step) : status;
}

mmarn_status mmarn_op_description_init(mmarn_op_description *description, size_t struct_size)
{
    FLOAT_ENV_SCOPE();
    return growth_init(&growth_op_description, description, struct_size);
}

mmarn_status mmarn_op_describe(const mmarn_op *op, int64_t rows, mmarn_op_description *description)
{
    FLOAT_ENV_SCOPE();
    CHECK(tensor_check_given("op", op));
    CHECK(tensor_check_given("description", description));
    const int64_t most = INT64_MAX / 64 / MMARN_MAX_RANKS / (op->weights.n + 1); /* as check_form's, of all ranks */
    if (rows < 1 || rows > most)
        return error_set(MMARN_ERR_ARGUMENT, "rows is %lld; a step of this operator has 1 to %lld", (long long)rows,
                         (long long)most);
    if (atomic_load(&op->comm->forked))
        return error_set(MMARN_ERR_FORKED, "op was made by the parent process; a forked child must make its own");
    return op_describe(op, rows, description);
}

mmarn_status mmarn_op_matmul(mmarn_op *op, const mmarn_step *step)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("op", op);
    return status == MMARN_OK ? op_matmul(op, step) : status;
}

void mmarn_op_destroy(mmarn_op *op)
{
    if (op)
        op_destroy(op);
}

mmarn_status mmarn_mm_all_reduce_add_rms_norm(mmarn_comm *comm, const mmarn_op_config *config, const mmarn_step *step)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("comm", comm);
    return status == MMARN_OK ? op_once(comm, MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM, config, step) : status;
}

mmarn_status mmarn_mm_all_reduce(mmarn_comm *comm, const mmarn_op_config *config, const mmarn_step *step)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("comm", comm);
    return status == MMARN_OK ? op_once(comm, MMARN_FORM_MM_ALL_REDUCE, config, step) : status;
}

mmarn_status mmarn_all_reduce(mmarn_comm *comm, mmarn_numerics numerics, const mmarn_tensor *in,
                              const mmarn_tensor *out)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("comm", comm);
    return status == MMARN_OK ? op_all_reduce(comm, numerics, in, out) : status;
}

mmarn_status mmarn_reduce_scatter(mmarn_comm *comm, mmarn_numerics numerics, const mmarn_tensor *in,
                                  const mmarn_tensor *out)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("comm", comm);
    return status == MMARN_OK ? op_reduce_scatter(comm, numerics, in, out) : status;
}

mmarn_status mmarn_all_gather(mmarn_comm *comm, const mmarn_tensor *in, const mmarn_tensor *out)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("comm", comm);
    return status == MMARN_OK ? op_all_gather(comm, in, out) : status;
}

mmarn_status mmarn_all_reduce_add_rms_norm(mmarn_comm *comm, const mmarn_op_config *config, const mmarn_step *step)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("comm", comm);
    return status == MMARN_OK ? op_all_reduce_norm(comm, config, step) : status;
}

mmarn_status mmarn_add_rms_norm(mmarn_comm *comm, const mmarn_op_config *config, const mmarn_step *step)
{
    FLOAT_ENV_SCOPE();
    return op_norm(comm, config, step);
}
