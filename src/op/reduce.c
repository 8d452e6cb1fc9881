/* SPDX-License-Identifier: MIT */
/*
 * reduce.c - sums of the caller's own arrays: the all-reduce and the reduce-scatter alone, and the all-reduce with
 * residual and norm, for engines that have their own matmul. A partial is a piece of the array, widened to fp32.
 */
#include "base/convert.h"
#include "op/call.h"
#include "op/check.h"
#include "op/norm_call.h"
#include "op/op.h"
#include "op/tensor.h"

struct copy {
    const char *in;
    int32_t dtype;
    int64_t n;
};

static void produce(void *ctx, int thread, const struct op_tile *tile, float *part)
{
    const struct copy *copy = ctx;
    (void)thread;
    size_t size = dtype_size(copy->dtype);
    for (int i = 0; i < tile->rows; i++) {
        const char *row = copy->in + (size_t)((tile->row + i) * copy->n + tile->column) * size;
        convert_to_f32(copy->dtype, row, part + (int64_t)i * tile->columns, (size_t)tile->columns);
    }
}

/* Called with the group taken: runs the call and leaves the group. */
static bool run(mmarn_comm *comm, const struct call_terms *terms, const void *in, const struct op_epilogue *epilogue,
                struct error *error)
{
    struct copy copy = {in, terms->dtype, terms->n};
    struct op_pipeline pipeline = {.produce = produce, .ctx = &copy, .epilogue = *epilogue};
    return call_run(comm, terms, OP_SOURCE_COPY, &pipeline, error);
}

bool op_all_reduce(mmarn_comm *comm, int32_t numerics, const mmarn_tensor *in, const mmarn_tensor *out,
                   struct error *error)
{
    if (!comm_enter(comm, error))
        return false;
    const mmarn_op_config config = {.numerics = numerics};
    const struct op_call call = call_of_collective(comm, MMARN_FORM_ALL_REDUCE, &config, in, out);
    if (!check_call(&call, CHECK_STEP | CHECK_MEMORY, error))
        return call_refuse(comm, error);
    if (op_call_is_empty(&call))
        return call_skip(comm);
    /* Without a norm, rows have no meaning, so shapes of the same size agree. */
    struct call_terms terms = {
        .kind = CALL_ALL_REDUCE,
        .rows = 1,
        .n = tensor_elements(in),
        .dtype = in->dtype,
        .numerics = numerics,
    };
    const struct op_epilogue epilogue = {.dtype = in->dtype, .count = 1, .mm = out->data};
    return run(comm, &terms, in->data, &epilogue, error);
}

bool op_reduce_scatter(mmarn_comm *comm, int32_t numerics, const mmarn_tensor *in, const mmarn_tensor *out,
                       struct error *error)
{
    if (!comm_enter(comm, error))
        return false;
    const mmarn_op_config config = {.numerics = numerics, .flags = MMARN_SHARD_ROWS};
    const struct op_call call = call_of_collective(comm, MMARN_FORM_REDUCE_SCATTER, &config, in, out);
    if (!check_call(&call, CHECK_STEP | CHECK_MEMORY, error))
        return call_refuse(comm, error);
    if (op_call_is_empty(&call))
        return call_skip(comm);
    const struct matrix whole = tensor_matrix(in);
    struct call_terms terms = {
        .kind = CALL_REDUCE_SCATTER,
        .rows = whole.rows,
        .n = whole.n,
        .dtype = in->dtype,
        .numerics = numerics,
        .flags = config.flags,
    };
    const struct op_rows own = op_rows_shard(terms.rows, call.rank, call.world_size);
    const struct op_epilogue epilogue = {.dtype = in->dtype, .first = own.first, .count = own.count, .mm = out->data};
    return run(comm, &terms, in->data, &epilogue, error);
}

bool op_all_reduce_norm(mmarn_comm *comm, const mmarn_op_config *given, const mmarn_step *step, struct error *error)
{
    if (!comm_enter(comm, error))
        return false;
    struct norm_call norm;
    if (!norm_call_take(&norm, comm, MMARN_FORM_ALL_REDUCE_ADD_RMS_NORM, given, step, error))
        return call_refuse(comm, error);
    if (op_call_is_empty(&norm.call))
        return call_skip(comm);
    struct op_epilogue epilogue = {.dtype = 0};
    void *room;
    if (!norm_call_open(&norm, comm->threads, &epilogue, &room, error))
        return call_refuse(comm, error);
    const mmarn_tensor *x1 = norm.call.step.x1;
    struct call_terms terms = {
        .kind = CALL_ALL_REDUCE_NORM,
        .rows = tensor_rows(x1),
        .n = tensor_last(x1),
        .dtype = x1->dtype,
        .numerics = norm.options.config.numerics,
        .epsilon = (float)norm.options.config.epsilon,
        .flags = norm.options.config.flags,
    };
    const bool done = run(comm, &terms, x1->data, &epilogue, error);
    norm_call_close(&norm, room);
    return done;
}
