/*
 * reduce.c - the operator's parts alone: the all-reduce, and the all-reduce with residual and norm, for engines that
 * have a matmul of their own. Parts are pieces of the caller's array, widened to fp32.
 */
#include "base/convert.h"
#include "op/call.h"
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

static mmarn_status run(mmarn_comm *comm, const struct call_terms *terms, const void *in, struct op_sink sink)
{
    struct copy copy = {in, terms->dtype, terms->n};
    struct op_plan plan = op_plan_make(comm->coll, OP_SOURCE_COPY, terms->rows, terms->n);
    struct op_pipeline pipeline = {.coll = comm->coll, .plan = &plan, .produce = produce, .ctx = &copy, .sink = sink};
    pipeline.name = comm_call_name(comm);
    call_terms_set(&pipeline, terms);
    mmarn_status status = op_pipeline_run(&pipeline, comm->threads);
    call_leave(comm);
    return status;
}

mmarn_status op_all_reduce(mmarn_comm *comm, int32_t numerics, const mmarn_tensor *in, const mmarn_tensor *out)
{
    CHECK(comm_enter(comm));
    bool empty = false;
    mmarn_status status = check_all_reduce(numerics, in, out, &empty);
    if (status != MMARN_OK)
        return call_refuse(comm, status);
    if (empty)
        return call_skip(comm);
    /* Without a norm rows mean nothing, so that shapes of one size may meet. */
    struct call_terms terms = {
        .kind = CALL_ALL_REDUCE,
        .rows = 1,
        .n = tensor_elements(in),
        .dtype = in->dtype,
        .numerics = numerics,
    };
    return run(comm, &terms, in->data, (struct op_sink){.y_dtype = out->dtype, .y = out->data});
}

mmarn_status op_all_reduce_norm(mmarn_comm *comm, int32_t numerics, double epsilon, const struct op_io *io,
                                const mmarn_tensor *gamma)
{
    CHECK(comm_enter(comm));
    bool empty = false;
    mmarn_status status = check_all_reduce_norm(numerics, epsilon, io, gamma, &empty);
    if (status != MMARN_OK)
        return call_refuse(comm, status);
    if (empty)
        return call_skip(comm);
    struct call_terms terms = {
        .kind = CALL_ALL_REDUCE_NORM,
        .rows = tensor_rows(io->x),
        .n = tensor_last(io->x),
        .dtype = io->x->dtype,
        .numerics = numerics,
        .epsilon = (float)epsilon,
    };
    struct op_sink sink = {
        .y_dtype = io->y->dtype,
        .gamma_dtype = gamma->dtype,
        .residual = io->residual->data,
        .y = io->y->data,
        .gamma = gamma->data,
        .norm_out = io->norm_out->data,
    };
    return run(comm, &terms, io->x->data, sink);
}
