/* SPDX-License-Identifier: MIT */
/*
 * operator.c - see operator.h. The data get their shapes here: arrays stored as (n, k) or (n, groups) are viewed
 * transposed.
 */
#include "operator.h"

#include "form.h"
#include "workload_job.h"

/* A (rows, columns) view of memory with that layout, or, if turned, with the transposed one. */
static mmarn_tensor matrix(void *data, int32_t dtype, int64_t rows, int64_t columns, bool turned)
{
    const int64_t shape[2] = {turned ? columns : rows, turned ? rows : columns};
    const mmarn_tensor tensor = mmarn_tensor_make(data, dtype, 2, shape);
    return turned ? mmarn_tensor_transpose(&tensor) : tensor;
}

static mmarn_tensor vector(void *data, int32_t dtype, int64_t size)
{
    return mmarn_tensor_make(data, dtype, 1, &size);
}

/* A view of the scales, or of the offsets. */
static mmarn_tensor scales(const struct workload *workload, void *data)
{
    const int32_t dtype = scenario_of(workload->dtype)->scale;
    if (workload->scale == SCALE_PER_GROUP)
        return matrix(data, dtype, data_groups(workload), workload->n, workload->trans_x2);
    return vector(data, dtype, data_scales(workload));
}

mmarn_status operator_create(const struct workload *workload, const struct data *data, mmarn_comm *comm, mmarn_op **op)
{
    const struct scenario *scenario = scenario_of(workload->dtype);
    const mmarn_tensor x2 = matrix(data->x2, scenario->x2, workload->k, workload->n, workload->trans_x2);
    const mmarn_tensor gamma = vector(data->gamma, scenario->out, workload->n);
    const mmarn_tensor bias = vector(data->bias, scenario->bias, workload->n);
    const mmarn_tensor scale = scales(workload, data->scale), offset = scales(workload, data->offset);
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;

    config.x2 = &x2;
    config.gamma = workload->form == FORM_MM_ALL_REDUCE ? NULL : &gamma;
    config.flags = form_flags(workload->form);
    config.bias = workload->bias ? &bias : NULL;
    config.epsilon = JOB_EPSILON;
    config.numerics = workload->numerics;
    if (scenario_is_int8(scenario))
        config.dequant_scale = &scale;
    else if (scenario_has_integer_weights(scenario))
        config.antiquant_scale = &scale;
    config.antiquant_offset = workload->offset ? &offset : NULL;
    config.antiquant_group_size = workload->group_size;
    return mmarn_op_create(comm, &config, op);
}

/* This rank's rows of a matrix with n columns. */
static mmarn_tensor rows_of(const struct workload *workload, const struct data *data, void *memory, int32_t dtype)
{
    int64_t first, count;
    if (workload->form != FORM_SHARDED)
        return mmarn_tensor_make(memory, dtype, 3, (int64_t[]){workload->b, workload->s, workload->n});
    form_rows(workload, data->rank, &first, &count);
    return mmarn_tensor_make((char *)memory + scenario_bytes(dtype, (size_t)(first * workload->n)), dtype, 2,
                             (int64_t[]){count, workload->n});
}

mmarn_status operator_run(const struct workload *workload, const struct data *data, mmarn_op *op)
{
    const struct scenario *scenario = scenario_of(workload->dtype);
    const int64_t in[3] = {workload->b, workload->s, workload->k};
    const mmarn_tensor x1 = mmarn_tensor_make(data->x1, scenario->x1, 3, in);
    const mmarn_tensor row_scale = vector(data->row_scale, MMARN_F32, workload->b * workload->s);
    const mmarn_tensor residual = rows_of(workload, data, data->residual, scenario->out);
    const mmarn_tensor y = rows_of(workload, data, data->y, scenario->out);
    const bool int8 = workload->form == FORM_INT8, sum = workload->form == FORM_MM_ALL_REDUCE;
    const mmarn_tensor norm_out = rows_of(workload, data, data->norm_out, int8 ? MMARN_I8 : scenario->out);
    const mmarn_tensor norm_scale = vector(data->norm_scale, MMARN_F32, workload->b * workload->s);
    const mmarn_step step = {
        .struct_size = sizeof(step),
        .x1 = &x1,
        .residual = sum || workload->form == FORM_NO_RESIDUAL ? NULL : &residual,
        .y = sum ? NULL : &y,
        .norm_out = sum ? NULL : &norm_out,
        .mm_out = sum ? &y : NULL,
        .norm_scale = int8 ? &norm_scale : NULL,
        .x1_scale = workload->per_token ? &row_scale : NULL,
    };

    return mmarn_op_run(op, &step);
}

/* Writes some rows at a time into the same small buffer, so that the result need not reach memory. */
mmarn_status operator_matmul(const struct workload *workload, const struct data *data, mmarn_op *op)
{
    const int32_t dtype = scenario_of(workload->dtype)->x1;
    const int64_t rows = workload->b * workload->s, chunk = data_chunk_rows(workload), k = workload->k;

    for (int64_t row = 0; row < rows; row += chunk) {
        const int64_t some = rows - row < chunk ? rows - row : chunk;
        const mmarn_tensor x1 =
            matrix((char *)data->x1 + scenario_bytes(dtype, (size_t)(row * k)), dtype, some, k, false);
        const mmarn_tensor partial = matrix(data->partial, MMARN_F32, some, workload->n, false);
        const mmarn_step step = {.struct_size = sizeof(step), .x1 = &x1, .mm_out = &partial};
        const mmarn_status status = mmarn_op_matmul(op, &step);
        if (status != MMARN_OK)
            return status;
    }
    return MMARN_OK;
}
