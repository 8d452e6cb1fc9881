/*
 * create.c - an operator's weights: x2 packed into the kernel's layout, or borrowed; gamma copied; bias widened to
 * fp32, in which it is added.
 */
#include <string.h>

#include "base/convert.h"
#include "base/error.h"
#include "base/memory.h"
#include "op/op.h"

static bool copy_gamma(mmarn_op *op, const mmarn_tensor *gamma)
{
    size_t size = dtype_size(gamma->dtype);
    op->gamma = memory_alloc((size_t)gamma->shape[0], size);
    if (op->gamma && gamma->data)
        memcpy(op->gamma, gamma->data, (size_t)gamma->shape[0] * size);
    return op->gamma;
}

/* With MMARN_BIAS_ONCE only rank 0 adds its bias. */
static bool widen_bias(mmarn_op *op, const mmarn_tensor *bias)
{
    if (!bias || ((op->config.flags & MMARN_BIAS_ONCE) && op->comm->coll->rank != 0))
        return true;
    op->bias = memory_alloc((size_t)bias->shape[0], sizeof *op->bias);
    if (!op->bias)
        return false;
    convert_to_f32(bias->dtype, bias->data, op->bias, (size_t)bias->shape[0]);
    return true;
}

static bool keep(mmarn_op *op)
{
    struct gemm_weights borrowed = op->weights;
    if (op->config.flags & MMARN_BORROW_X2)
        return true;
    op->x2.data = NULL;
    return gemm_weights_pack(&borrowed, op->comm->threads, &op->weights);
}

static mmarn_status fill(mmarn_op *op, mmarn_comm *comm, const mmarn_op_config *config)
{
    op->comm = comm;
    op->config = *config;
    op->x2 = *config->x2;
    op->config.x2 = &op->x2;
    op->config.gamma = op->config.bias = NULL;
    op->weights = check_weights(config->x2);
    if (copy_gamma(op, config->gamma) && widen_bias(op, config->bias) && keep(op))
        return MMARN_OK;
    return error_set(MMARN_ERR_MEMORY, "no memory for the operator's copy of x2, which is (%lld, %lld) %s",
                     (long long)op->weights.k, (long long)op->weights.n, dtype_name(op->weights.dtype));
}

static mmarn_status check(const mmarn_op_config *config)
{
    mmarn_status status = check_config_nulls(config);
    if (status == MMARN_OK)
        status = check_config_shapes(config);
    return status == MMARN_OK ? check_config_options(config) : status;
}

mmarn_status op_create(mmarn_comm *comm, const mmarn_op_config *config, mmarn_op **out)
{
    mmarn_status status = check(config);
    if (status != MMARN_OK)
        return status;
    mmarn_op *op = memory_alloc(1, sizeof *op);
    if (!op)
        return error_set(MMARN_ERR_MEMORY, "no memory for an operator's handle");
    status = fill(op, comm, config);
    if (status != MMARN_OK)
        op_destroy(op);
    else
        *out = op;
    return status;
}

void op_destroy(mmarn_op *op)
{
    gemm_weights_free(&op->weights);
    memory_free(op->gamma);
    memory_free(op->bias);
    memory_free(op);
}
