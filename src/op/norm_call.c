/* SPDX-License-Identifier: MIT */
/*
 * norm_call.c - takes and opens calls without a matmul, and runs the local one: rows are divided among the threads, and
 * each thread does the residual add and the norm of some rows while they are in its cache.
 */
#include "op/norm_call.h"

#include <stdatomic.h>

#include "base/memory.h"
#include "base/threads.h"
#include "op/arguments.h"
#include "op/check.h"
#include "op/op.h"
#include "op/tensor.h"

/* Elements of one claim: a first-level cache holds what a thread needs of them several times over. */
enum { SHARE_ELEMENTS = 8192 };

bool norm_call_take(struct norm_call *norm, const mmarn_comm *comm, mmarn_form form, const mmarn_op_config *config,
                    const mmarn_step *step, struct error *error)
{
    struct op_call *call = &norm->call;
    norm->gamma = NULL;
    *call = (struct op_call){.form = form, .rank = 0, .world_size = 1};
    if (comm)
        call->rank = comm->coll->rank, call->world_size = comm->coll->world_size;
    return arguments_take(call, &norm->options, config, step, error) && check_call(call, CHECK_ALL, error);
}

bool norm_call_open(struct norm_call *norm, int threads, struct op_epilogue *epilogue, void **room, struct error *error)
{
    const mmarn_op_config *config = &norm->options.config;
    struct op_gamma gamma = {config->gamma->data, config->gamma->dtype};
    if (config->flags & MMARN_GAMMA_PLUS_ONE) {
        norm->gamma = outputs_gamma_plus_one(config->gamma);
        gamma = (struct op_gamma){norm->gamma, MMARN_F32};
        if (!norm->gamma)
            return error_fail(error, MMARN_ERR_MEMORY, "no memory for 1 + gamma, %lld elements",
                              (long long)config->gamma->shape[0]);
    }
    if (outputs_open(&norm->call, &gamma, tensor_last(norm->call.step.x1), threads, epilogue, room, error))
        return true;
    norm_call_close(norm, NULL);
    return false;
}

void norm_call_close(struct norm_call *norm, void *room)
{
    memory_free(norm->gamma);
    memory_free(room);
    norm->gamma = NULL;
}

/* ------------------------------------------------------------------------------------------------- the local one */

struct rows {
    struct op_epilogue epilogue;
    const char *x;
    int64_t rows, n;
    int share;         /* rows that a thread claims at a time */
    atomic_llong next; /* the next row to be claimed; rows are independent, so the order of claims does not matter */
};

/* Stores whole rows, or pieces of a row that is too long for a tile. */
static void take_in(const struct rows *rows, int64_t row, int count)
{
    for (int64_t column = 0; column < rows->n; column += SHARE_ELEMENTS) {
        const int64_t left = rows->n - column;
        const struct op_tile tile = {
            .row = row, .rows = count, .column = column, .columns = left < SHARE_ELEMENTS ? (int)left : SHARE_ELEMENTS};
        op_epilogue_sum(&rows->epilogue, rows->n, &tile,
                        rows->x + (size_t)(row * rows->n + column) * dtype_size(rows->epilogue.dtype));
    }
}

static void worker(void *ctx, int thread)
{
    struct rows *rows = ctx;
    long long row;
    while ((row = atomic_fetch_add_explicit(&rows->next, rows->share, memory_order_relaxed)) < rows->rows) {
        const int count = rows->rows - row < rows->share ? (int)(rows->rows - row) : rows->share;
        take_in(rows, row, count);
        if (rows->epilogue.gamma)
            op_epilogue_norm(&rows->epilogue, rows->n, row, count, thread);
    }
}

static bool run(struct norm_call *norm, int threads, struct error *error)
{
    const mmarn_op_config *config = &norm->options.config;
    const mmarn_tensor *x = norm->call.step.x1;
    struct rows rows = {.x = x->data, .rows = tensor_rows(x), .n = tensor_last(x)};
    void *room = NULL;
    if (!norm_call_open(norm, threads, &rows.epilogue, &room, error))
        return false;
    op_epilogue_round(&rows.epilogue, config->numerics, false);
    rows.epilogue.epsilon = (float)config->epsilon;
    rows.share = rows.n < SHARE_ELEMENTS ? (int)(SHARE_ELEMENTS / rows.n) : 1;
    threads_run(threads, worker, &rows);
    norm_call_close(norm, room);
    return true;
}

bool op_norm(mmarn_comm *comm, const mmarn_op_config *config, const mmarn_step *step, struct error *error)
{
    struct norm_call norm;
    if (comm && !comm_enter(comm, error))
        return false;
    bool done = norm_call_take(&norm, comm, MMARN_FORM_ADD_RMS_NORM, config, step, error);
    if (done && !op_call_is_empty(&norm.call))
        done = run(&norm, comm ? comm->threads : 1, error);
    if (comm)
        comm_leave(comm);
    return done;
}
