/* SPDX-License-Identifier: MIT */
/*
 * gather.c - the all-gather: every rank publishes its own rows of a tile, and copies the other rows from the ranks that
 * have them. Elements are copied unchanged, so any type works whose size fits the elements of a partial.
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
    size_t size; /* bytes of an element */
    int world_size;
};

/* Writes this rank's rows of a tile to their places in the partial. The other ranks write the other rows. */
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

bool op_all_gather(mmarn_comm *comm, const mmarn_tensor *in, const mmarn_tensor *out, struct error *error)
{
    if (!comm_enter(comm, error))
        return false;
    const mmarn_op_config config = {.flags = MMARN_SHARD_ROWS};
    const struct op_call call = call_of_collective(comm, MMARN_FORM_ALL_GATHER, &config, in, out);
    if (!check_call(&call, CHECK_STEP | CHECK_MEMORY, error))
        return call_refuse(comm, error);
    if (op_call_is_empty(&call))
        return call_skip(comm);
    const struct matrix whole = tensor_matrix(out);
    const struct call_terms terms = {
        .kind = CALL_ALL_GATHER,
        .rows = whole.rows,
        .n = whole.n,
        .dtype = out->dtype,
        .flags = config.flags,
    };
    struct gather gather = {
        .in = in->data,
        .out = out->data,
        .own = op_rows_shard(whole.rows, call.rank, call.world_size),
        .rows = terms.rows,
        .n = terms.n,
        .size = dtype_size(out->dtype),
        .world_size = call.world_size,
    };
    struct op_pipeline pipeline = {.produce = give, .gather = take, .ctx = &gather};
    return call_run(comm, &terms, OP_SOURCE_COPY, &pipeline, error);
}
