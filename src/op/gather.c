/*
 * gather.c - the all-gather: every rank publishes its own rows of a tile, and takes the others' from those who have
 * them. Elements are copied as they are, so any type that fits a part's elements will do.
 */
#include <string.h>

#include "op/call.h"
#include "op/check.h"
#include "op/op.h"
#include "op/tensor.h"

struct gather {
    const char *in;
    char *out;
    struct op_rows own;
    int64_t rows, n;
    size_t size; /* of an element */
    int world_size;
};

/* This rank's rows of a tile, at their places in the part; the others' are theirs to fill. */
static void give(void *ctx, int thread, const struct op_tile *tile, float *part)
{
    const struct gather *gather = ctx;
    const size_t bytes = (size_t)tile->columns * gather->size;
    (void)thread;
    for (int i = 0; i < tile->rows; i++) {
        const int64_t row = tile->row + i - gather->own.first;
        if (row >= 0 && row < gather->own.count)
            memcpy((char *)part + (size_t)i * bytes,
                   gather->in + (size_t)(row * gather->n + tile->column) * gather->size, bytes);
    }
}

static void take(void *ctx, const struct op_tile *tile, const float *const parts[])
{
    const struct gather *gather = ctx;
    const size_t bytes = (size_t)tile->columns * gather->size;
    for (int rank = 0; rank < gather->world_size; rank++) {
        const struct op_rows theirs = op_rows_shard(gather->rows, rank, gather->world_size);
        for (int i = 0; i < tile->rows; i++) {
            const int64_t row = tile->row + i;
            if (row < theirs.first || row >= theirs.first + theirs.count)
                continue;
            memcpy(gather->out + (size_t)(row * gather->n + tile->column) * gather->size,
                   (const char *)parts[rank] + (size_t)i * bytes, bytes);
        }
    }
}

mmarn_status op_all_gather(mmarn_comm *comm, const mmarn_tensor *in, const mmarn_tensor *out)
{
    CHECK(comm_enter(comm));
    bool empty = false;
    const int rank = comm->coll->rank, world_size = comm->coll->world_size;
    mmarn_status status = check_all_gather(in, out, rank, world_size, &empty);
    if (status == MMARN_OK && !empty)
        status = check_gather_memory(in, out, rank, world_size);
    if (status != MMARN_OK)
        return call_refuse(comm, status);
    if (empty)
        return call_skip(comm);
    const bool vector = out->ndim == 1;
    const struct call_terms terms = {
        .kind = CALL_ALL_GATHER,
        .rows = vector ? out->shape[0] : tensor_rows(out),
        .n = vector ? 1 : tensor_last(out),
        .dtype = out->dtype,
        .flags = MMARN_SHARD_ROWS,
    };
    struct gather gather = {
        .in = in->data,
        .out = out->data,
        .own = op_rows_shard(terms.rows, rank, world_size),
        .rows = terms.rows,
        .n = terms.n,
        .size = dtype_size(out->dtype),
        .world_size = world_size,
    };
    struct op_pipeline pipeline = {.produce = give, .gather = take, .ctx = &gather};
    return call_run(comm, &terms, OP_SOURCE_COPY, &pipeline);
}
