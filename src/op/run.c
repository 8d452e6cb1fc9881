/*
 * run.c - the whole operator as a pipeline whose parts are tiles of x1 @ x2 + bias, and the matmul alone.
 */
#include <stdatomic.h>

#include "base/threads.h"
#include "op/call.h"
#include "op/growth.h"
#include "op/op.h"
#include "op/tensor.h"

struct matmul {
    const struct mmarn_op *op;
    const void *x1;
    const float *x1_scale; /* NULL, or one for each row */
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
}

static void produce(void *ctx, int thread, const struct op_tile *tile, float *part)
{
    matmul_tile(ctx, thread, tile, part, tile->columns);
}

/* The scratch of every thread, forgetting the rows of earlier calls; NULL when memory is short. */
static struct gemm_scratch **fresh_scratch(mmarn_comm *comm)
{
    struct gemm_scratch **scratch = comm_scratch(comm);
    for (int i = 0; scratch && i < comm->threads; i++)
        gemm_scratch_reset(scratch[i]);
    return scratch;
}

/* After the checks, with the group taken: runs and leaves it. */
static mmarn_status run_checked(mmarn_op *op, const struct op_io *io)
{
    mmarn_comm *comm = op->comm;
    struct matmul matmul = {op, io->x->data, io->x_scale ? io->x_scale->data : NULL, fresh_scratch(comm)};
    if (!matmul.scratch)
        return call_refuse(comm, MMARN_ERR_MEMORY);
    struct call_terms terms = {
        .kind = CALL_MATMUL,
        .rows = tensor_rows(io->x),
        .n = op->weights.n,
        .dtype = op_out_dtype(&op->kind, io),
        .numerics = op->config.numerics,
        .epsilon = (float)op->config.epsilon,
        .flags = op->config.flags,
    };
    struct op_plan plan = op_plan_make(comm->coll, OP_SOURCE_MATMUL, terms.rows, terms.n);
    struct op_pipeline pipeline = {
        .coll = comm->coll,
        .plan = &plan,
        .produce = produce,
        .ctx = &matmul,
        .name = comm_call_name(comm),
        .sink = {.y_dtype = io->y->dtype,
                 .gamma_dtype = op->gamma_dtype,
                 .residual = io->residual->data,
                 .y = io->y->data,
                 .gamma = op->gamma,
                 .norm_out = io->norm_out->data},
    };
    call_terms_set(&pipeline, &terms);
    mmarn_status status = op_pipeline_run(&pipeline, comm->threads);
    call_leave(comm);
    return status;
}

static mmarn_status check_run(const mmarn_op *op, const struct op_io *io, bool *empty)
{
    CHECK(check_io_nulls(io));
    CHECK(check_io_shapes(io, &op->x2, empty));
    return *empty ? MMARN_OK : check_io_options(io, &op->config, &op->kind);
}

mmarn_status op_run(mmarn_op *op, const struct op_io *io)
{
    CHECK(comm_enter(op->comm));
    bool empty = false;
    mmarn_status status = check_run(op, io, &empty);
    if (status != MMARN_OK)
        return call_refuse(op->comm, status);
    return empty ? call_skip(op->comm) : run_checked(op, io);
}

/* The configuration's and the step's checks, phase by phase, as if they were one list. */
static mmarn_status check_once(const mmarn_comm *comm, const mmarn_op_config *given, mmarn_op_config *config,
                               const struct op_io *io, bool *empty)
{
    CHECK(growth_take(&growth_op_config, given, config));
    CHECK(check_config_nulls(config));
    CHECK(check_io_nulls(io));
    CHECK(check_config_shapes(config));
    CHECK(check_io_shapes(io, config->x2, empty));
    if (*empty)
        return MMARN_OK;
    CHECK(check_config_options(config, comm->coll->world_size));
    const struct op_kind kind = op_kind_of(config);
    return check_io_options(io, config, &kind);
}

mmarn_status op_once(mmarn_comm *comm, const mmarn_op_config *given, const struct op_io *io)
{
    CHECK(comm_enter(comm));
    bool empty = false;
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    mmarn_status status = check_once(comm, given, &config, io, &empty);
    if (status == MMARN_OK && empty)
        return call_skip(comm);
    config.flags |= MMARN_BORROW_X2;
    mmarn_op *op = NULL;
    if (status == MMARN_OK)
        status = op_create_checked(comm, &config, &op);
    if (status != MMARN_OK)
        return call_refuse(comm, status);
    status = run_checked(op, io);
    op_destroy(op);
    return status;
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

mmarn_status op_matmul(mmarn_op *op, const mmarn_tensor *x1, const mmarn_tensor *partial)
{
    CHECK(comm_enter(op->comm));
    bool empty = false;
    mmarn_status status = check_matmul(x1, &op->config, &op->kind, partial, &empty);
    if (status == MMARN_OK && !empty) {
        struct local local = {.matmul = {op, x1->data, NULL, fresh_scratch(op->comm)}, .partial = partial->data};
        status = local.matmul.scratch ? MMARN_OK : MMARN_ERR_MEMORY;
        if (status == MMARN_OK) {
            local.plan = op_plan_make(op->comm->coll, OP_SOURCE_MATMUL, tensor_rows(x1), op->weights.n);
            threads_run(op->comm->threads, local_worker, &local);
        }
    }
    comm_leave(op->comm);
    return status;
}
