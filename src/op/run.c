/* SPDX-License-Identifier: MIT */
/* run.c - the operator as a pipeline whose partials are tiles of x1 @ x2 + bias + x3, and the matmul alone. */
#include <stdatomic.h>

#include "base/convert.h"
#include "base/memory.h"
#include "base/threads.h"
#include "coll/reduce.h"
#include "op/arguments.h"
#include "op/call.h"
#include "op/check.h"
#include "op/growth.h"
#include "op/op.h"
#include "op/tensor.h"

struct matmul {
    const struct mmarn_op *op;
    const void *x1;
    const float *x1_scale;  /* NULL, or one for each row */
    const mmarn_tensor *x3; /* NULL, or added to the tile */
    int32_t round_before;   /* x3 is added after rounding to this dtype; fp32: without rounding */
    struct gemm_scratch **scratch;
};

static void add_bias(const float *bias, const struct op_tile *tile, float *c, int64_t ldc)
{
    if (!bias)
        return;
    for (int i = 0; i < tile->rows; i++)
        for (int j = 0; j < tile->columns; j++)
            c[i * ldc + j] += bias[tile->column + j];
}

static void round_to(int32_t dtype, float *values, size_t count)
{
    uint16_t narrow[COLL_CHUNK];
    if (dtype == MMARN_F32)
        return;
    convert_from_f32(dtype, values, narrow, count);
    convert_to_f32(dtype, narrow, values, count);
}

static void add_x3(const struct matmul *matmul, const struct op_tile *tile, float *c, int64_t ldc)
{
    const mmarn_tensor *x3 = matmul->x3;
    float piece[COLL_CHUNK];
    if (!x3)
        return;
    for (int i = 0; i < tile->rows; i++)
        for (int j = 0; j < tile->columns; j += COLL_CHUNK) {
            const int count = tile->columns - j < COLL_CHUNK ? tile->columns - j : COLL_CHUNK;
            const int64_t at = (tile->row + i) * matmul->op->weights.n + tile->column + j;
            float *sums = c + i * ldc + j;
            convert_to_f32(x3->dtype, (const char *)x3->data + (size_t)at * dtype_size(x3->dtype), piece,
                           (size_t)count);
            round_to(matmul->round_before, sums, (size_t)count);
            for (int l = 0; l < count; l++)
                sums[l] += piece[l];
        }
}

static void matmul_tile(const struct matmul *matmul, int thread, const struct op_tile *tile, float *c, int64_t ldc)
{
    const mmarn_op *op = matmul->op;
    gemm_tile(&op->weights, matmul->scratch[thread], matmul->x1, tile->row, tile->rows, tile->column, tile->columns, c,
              ldc);
    if (op->kind.scenario == OP_INT8)
        gemm_dequantise(c, ldc, tile->rows, tile->columns, op->sums ? op->sums + tile->column : NULL,
                        op->scale + tile->column, matmul->x1_scale ? matmul->x1_scale + tile->row : NULL);
    else
        add_bias(op->bias, tile, c, ldc);
    add_x3(matmul, tile, c, ldc);
}

static void produce(void *ctx, int thread, const struct op_tile *tile, float *part)
{
    matmul_tile(ctx, thread, tile, part, tile->columns);
}

/* Uses the scratch of every thread, which drops the rows of earlier calls. Errors: MEMORY. */
static bool matmul_open(const mmarn_op *op, const mmarn_step *step, int32_t round_before, struct matmul *matmul,
                        struct error *error)
{
    struct gemm_scratch **scratch = comm_scratch(op->comm, error);
    if (!scratch)
        return false;
    for (int i = 0; i < op->comm->threads; i++)
        gemm_scratch_reset(scratch[i]);
    *matmul = (struct matmul){
        .op = op,
        .x1 = step->x1->data,
        .x1_scale = step->x1_scale ? step->x1_scale->data : NULL,
        .x3 = step->x3,
        .round_before = round_before,
        .scratch = scratch,
    };
    return true;
}

/* Called after the checks, with the group taken: runs the call and leaves the group. */
static bool run_checked(mmarn_op *op, const struct op_call *call, struct error *error)
{
    mmarn_comm *comm = op->comm;
    const mmarn_op_config *config = &op->options.config;
    struct call_terms terms = {
        .kind = op->kind.norm ? CALL_MATMUL : CALL_MATMUL_ONLY,
        .rows = tensor_rows(call->step.x1),
        .n = op->weights.n,
        .dtype = op_out_dtype(call),
        .numerics = config->numerics,
        .epsilon = op->kind.norm ? (float)config->epsilon : 0,
        .flags = config->flags,
    };
    struct matmul matmul;
    struct op_pipeline pipeline = {.produce = produce, .ctx = &matmul};
    void *room;
    const int32_t round_before = terms.numerics == MMARN_NUMERICS_ASCEND ? terms.dtype : MMARN_F32;
    if (!matmul_open(op, &call->step, round_before, &matmul, error) ||
        !outputs_open(call, &op->gamma, terms.n, comm->threads, &pipeline.epilogue, &room, error))
        return call_refuse(comm, error);
    const bool done = call_run(comm, &terms, OP_SOURCE_MATMUL, &pipeline, error);
    memory_free(room);
    return done;
}

static struct op_call call_of(const mmarn_op *op, mmarn_form form)
{
    return (struct op_call){
        .form = form,
        .config = &op->options.config,
        .kind = op->kind,
        .rank = op->comm->coll->rank,
        .world_size = op->comm->coll->world_size,
    };
}

bool op_run(mmarn_op *op, const mmarn_step *step, struct error *error)
{
    if (!comm_enter(op->comm, error))
        return false;
    struct op_call call = call_of(op, MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM);
    if (!growth_take(&growth_step, step, &call.step, error) || !check_call(&call, CHECK_STEP | CHECK_MEMORY, error))
        return call_refuse(op->comm, error);
    return op_call_is_empty(&call) ? call_skip(op->comm) : run_checked(op, &call, error);
}

/* ------------------------------------------------------------------------------------------------- in one call */

bool op_once(mmarn_comm *comm, mmarn_form form, const mmarn_op_config *given, const mmarn_step *step,
             struct error *error)
{
    if (!comm_enter(comm, error))
        return false;
    struct op_options options;
    struct op_call call = {.form = form, .rank = comm->coll->rank, .world_size = comm->coll->world_size};
    mmarn_op *op = NULL;
    if (!arguments_take(&call, &options, given, step, error) || !check_call(&call, CHECK_ALL, error))
        return call_refuse(comm, error);
    if (op_call_is_empty(&call))
        return call_skip(comm);
    options.config.flags |= MMARN_BORROW_X2;
    if (!op_create_checked(comm, &options, &op, error))
        return call_refuse(comm, error);
    const bool done = run_checked(op, &call, error);
    op_destroy(op);
    return done;
}

/* ------------------------------------------------------------------------------------------ the matmul alone */

struct local {
    struct matmul matmul;
    struct op_plan plan;
    float *partial;
    atomic_llong next; /* the next tile to be claimed; tiles are independent, so the order of claims does not matter */
};

static void local_worker(void *ctx, int thread)
{
    struct local *local = ctx;
    long long i;
    while ((i = atomic_fetch_add_explicit(&local->next, 1, memory_order_relaxed)) < local->plan.tiles) {
        struct op_tile tile = op_plan_tile(&local->plan, i);
        matmul_tile(&local->matmul, thread, &tile, local->partial + tile.row * local->plan.n + tile.column,
                    local->plan.n);
    }
}

static bool run_local(mmarn_op *op, const mmarn_step *step, struct error *error)
{
    struct local local = {.partial = step->mm_out->data};
    if (!matmul_open(op, step, MMARN_F32, &local.matmul, error))
        return false;
    local.plan = op_plan_make(op->comm->coll, OP_SOURCE_MATMUL, tensor_rows(step->x1), op->weights.n, 1);
    threads_run(op->comm->threads, local_worker, &local);
    return true;
}

bool op_matmul(mmarn_op *op, const mmarn_step *step, struct error *error)
{
    if (!comm_enter(op->comm, error))
        return false;
    struct op_call call = call_of(op, MMARN_FORM_OP_MATMUL);
    bool done =
        growth_take(&growth_step, step, &call.step, error) && check_call(&call, CHECK_STEP | CHECK_MEMORY, error);
    if (done && !op_call_is_empty(&call))
        done = run_local(op, &call.step, error);
    comm_leave(op->comm);
    return done;
}
