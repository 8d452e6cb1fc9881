/* SPDX-License-Identifier: MIT */
/*
 * create.c - an operator's weights: x2 packed into the kernel's layout, or borrowed; gamma copied; bias widened to
 * fp32, in which it is added.
 */
#include <string.h>

#include "base/convert.h"
#include "base/memory.h"
#include "op/arguments.h"
#include "op/check.h"
#include "op/op.h"

static bool copy_gamma(mmarn_op *op, const mmarn_tensor *gamma)
{
    if (!gamma)
        return true;
    const size_t size = dtype_size(gamma->dtype), n = (size_t)gamma->shape[0];
    if (op->options.config.flags & MMARN_GAMMA_PLUS_ONE) {
        op->gamma = (struct op_gamma){outputs_gamma_plus_one(gamma), MMARN_F32};
        return op->gamma.data;
    }
    void *copy = memory_alloc(n, size);
    op->gamma = (struct op_gamma){copy, gamma->dtype};
    if (copy && n)
        memcpy(copy, gamma->data, n * size);
    return copy;
}

/* With MMARN_BIAS_ONCE only rank 0 adds its bias. */
static bool copy_bias(mmarn_op *op, const mmarn_tensor *bias)
{
    if (!bias || ((op->options.config.flags & MMARN_BIAS_ONCE) && op->comm->coll->rank != 0))
        return true;
    const size_t n = (size_t)bias->shape[0];
    if (op->kind.scenario == OP_INT8) {
        op->sums = memory_alloc(n, sizeof *op->sums);
        if (op->sums && n)
            memcpy(op->sums, bias->data, n * sizeof *op->sums);
        return op->sums;
    }
    op->bias = memory_alloc(n, sizeof *op->bias);
    if (op->bias)
        convert_to_f32(bias->dtype, bias->data, op->bias, n);
    return op->bias;
}

/* Integers that meet floats carry their scales with them. Otherwise the scales are applied to the sums afterwards. */
static bool copy_scales(mmarn_op *op, const mmarn_op_config *config)
{
    struct gemm_weights *w = &op->weights;
    w->scale_ld = (w->n + GEMM_NR - 1) / GEMM_NR * GEMM_NR;
    if (op->kind.scenario == OP_FLOAT)
        return true;
    if (op->kind.scenario == OP_INT8) {
        op->scale = weights_scales(config->dequant_scale, 1, w->n, w->scale_ld);
        return op->scale;
    }
    w->rounded = config->numerics == MMARN_NUMERICS_ASCEND;
    if (config->antiquant_group_size)
        w->group = config->antiquant_group_size;
    const int64_t groups = (w->k + w->group - 1) / w->group;
    w->scale = op->scale = weights_scales(config->antiquant_scale, groups, w->n, w->scale_ld);
    if (op->scale && config->antiquant_offset)
        w->offset = op->offset = weights_scales(config->antiquant_offset, groups, w->n, w->scale_ld);
    return op->scale && (op->offset || !config->antiquant_offset);
}

static bool keep(mmarn_op *op)
{
    struct gemm_weights borrowed = op->weights;
    if (op->options.config.flags & MMARN_BORROW_X2)
        return true;
    op->x2.data = NULL;
    return gemm_weights_pack(&borrowed, op->comm->threads, &op->weights);
}

static bool fill(mmarn_op *op, mmarn_comm *comm, const struct op_options *options, struct error *error)
{
    const mmarn_op_config *given = &options->config;
    mmarn_op_config *config = &op->options.config;
    op->comm = comm;
    op->kind = op_kind_of(given);
    op->options = *options;
    op->options.ascend.reduce_op = NULL;
    config->ascend = given->ascend ? &op->options.ascend : NULL;
    op->x2 = *given->x2;
    config->x2 = &op->x2;
    config->gamma = config->bias = NULL;
    config->dequant_scale = config->antiquant_scale = config->antiquant_offset = NULL;
    op->weights = weights_borrow(given->x2, &op->kind);
    if (copy_gamma(op, given->gamma) && copy_bias(op, given->bias) && copy_scales(op, given) && keep(op))
        return true;
    return error_fail(error, MMARN_ERR_MEMORY, "no memory for the operator's copy of x2, which is (%lld, %lld) %s",
                      (long long)op->weights.k, (long long)op->weights.n, dtype_name(op->weights.dtype));
}

bool op_create_checked(mmarn_comm *comm, const struct op_options *options, mmarn_op **out, struct error *error)
{
    mmarn_op *op = memory_alloc(1, sizeof *op);
    if (!op)
        return error_fail(error, MMARN_ERR_MEMORY, "no memory for an operator's handle");
    if (!fill(op, comm, options, error)) {
        op_destroy(op);
        return false;
    }
    *out = op;
    return true;
}

bool op_create(mmarn_comm *comm, const mmarn_op_config *given, mmarn_op **out, struct error *error)
{
    struct op_options options;
    struct op_call call = {.rank = comm->coll->rank, .world_size = comm->coll->world_size, .config = &options.config};
    if (atomic_load(&comm->forked))
        return error_fail(error, MMARN_ERR_FORKED,
                          "comm was made by the parent process; a forked child must make its own");
    if (!arguments_take_config(given, &options, error))
        return false;
    call.kind = op_kind_of(call.config);
    return check_call(&call, CHECK_CONFIG | CHECK_MEMORY, error) && op_create_checked(comm, &options, out, error);
}

void op_destroy(mmarn_op *op)
{
    gemm_weights_free(&op->weights);
    memory_free((void *)(uintptr_t)op->gamma.data);
    memory_free(op->bias);
    memory_free(op->sums);
    memory_free(op->scale);
    memory_free(op->offset);
    memory_free(op);
}
