/* SPDX-License-Identifier: MIT */
/*
 * op.c - the public functions of the operator and its parts: handles, and pointers to results, must be given; all else
 * is checked below, by op/check.h's list and what stands beside it. Each happens in the floating-point environment that
 * results are defined in.
 */
#include "op/op.h"

#include "api/door.h"
#include "base/float_env.h"
#include "op/check_pieces.h"
#include "op/growth.h"

mmarn_status mmarn_op_config_init(mmarn_op_config *config, size_t struct_size)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    return door_status(growth_init(&growth_op_config, config, struct_size, &error), &error);
}

mmarn_status mmarn_op_create(mmarn_comm *comm, const mmarn_op_config *config, mmarn_op **op)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    const bool done =
        check_given("comm", comm, &error) && check_given("op", op, &error) && op_create(comm, config, op, &error);
    return door_status(done, &error);
}

mmarn_status mmarn_step_init(mmarn_step *step, size_t struct_size)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    return door_status(growth_init(&growth_step, step, struct_size, &error), &error);
}

mmarn_status mmarn_shard(int64_t rows, int32_t rank, int32_t world_size, int64_t *first, int64_t *count)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    const bool done = check_given("first", first, &error) && check_given("count", count, &error) &&
                      check_shard(rows, rank, world_size, &error);
    if (done) {
        const struct op_rows own = op_rows_shard(rows, rank, world_size);
        *first = own.first;
        *count = own.count;
    }
    return door_status(done, &error);
}

mmarn_status mmarn_check(mmarn_form form, int32_t rank, int32_t world_size, const mmarn_op_config *config,
                         const mmarn_step *step)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    return door_status(op_check(form, rank, world_size, config, step, &error), &error);
}

mmarn_status mmarn_op_run(mmarn_op *op, const mmarn_step *step)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    const bool done = check_given("op", op, &error) && op_run(op, step, &error);
    return door_status(done, &error);
}

mmarn_status mmarn_op_description_init(mmarn_op_description *description, size_t struct_size)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    return door_status(growth_init(&growth_op_description, description, struct_size, &error), &error);
}

mmarn_status mmarn_op_describe(const mmarn_op *op, int64_t rows, mmarn_op_description *description)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    const bool done = check_given("op", op, &error) && check_given("description", description, &error) &&
                      op_describe(op, rows, description, &error);
    return door_status(done, &error);
}

mmarn_status mmarn_op_matmul(mmarn_op *op, const mmarn_step *step)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    const bool done = check_given("op", op, &error) && op_matmul(op, step, &error);
    return door_status(done, &error);
}

void mmarn_op_destroy(mmarn_op *op)
{
    if (op)
        op_destroy(op);
}

mmarn_status mmarn_mm_all_reduce_add_rms_norm(mmarn_comm *comm, const mmarn_op_config *config, const mmarn_step *step)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    const bool done =
        check_given("comm", comm, &error) && op_once(comm, MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM, config, step, &error);
    return door_status(done, &error);
}

mmarn_status mmarn_mm_all_reduce(mmarn_comm *comm, const mmarn_op_config *config, const mmarn_step *step)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    const bool done =
        check_given("comm", comm, &error) && op_once(comm, MMARN_FORM_MM_ALL_REDUCE, config, step, &error);
    return door_status(done, &error);
}

mmarn_status mmarn_all_reduce(mmarn_comm *comm, mmarn_numerics numerics, const mmarn_tensor *in,
                              const mmarn_tensor *out)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    const bool done = check_given("comm", comm, &error) && op_all_reduce(comm, numerics, in, out, &error);
    return door_status(done, &error);
}

mmarn_status mmarn_reduce_scatter(mmarn_comm *comm, mmarn_numerics numerics, const mmarn_tensor *in,
                                  const mmarn_tensor *out)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    const bool done = check_given("comm", comm, &error) && op_reduce_scatter(comm, numerics, in, out, &error);
    return door_status(done, &error);
}

mmarn_status mmarn_all_gather(mmarn_comm *comm, const mmarn_tensor *in, const mmarn_tensor *out)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    const bool done = check_given("comm", comm, &error) && op_all_gather(comm, in, out, &error);
    return door_status(done, &error);
}

mmarn_status mmarn_all_reduce_add_rms_norm(mmarn_comm *comm, const mmarn_op_config *config, const mmarn_step *step)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    const bool done = check_given("comm", comm, &error) && op_all_reduce_norm(comm, config, step, &error);
    return door_status(done, &error);
}

mmarn_status mmarn_add_rms_norm(mmarn_comm *comm, const mmarn_op_config *config, const mmarn_step *step)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    return door_status(op_norm(comm, config, step, &error), &error);
}
