/* SPDX-License-Identifier: MIT */
/* types.c - what follows from a configuration and a step: scenario, dtypes, and which rows are a rank's own. */
#include "op/types.h"

#include <assert.h>

#include "base/dtype.h"
#include "op/tensor.h"

struct op_kind op_kind_of(const mmarn_op_config *config)
{
    const bool norm = config->gamma;
    if (!config->x2)
        return (struct op_kind){OP_FLOAT, 0, 0, norm};
    if (dtype_is_float(config->x2->dtype))
        return (struct op_kind){OP_FLOAT, config->x2->dtype, config->x2->dtype, norm};
    if (config->antiquant_scale)
        return (struct op_kind){OP_WEIGHT_QUANT, config->antiquant_scale->dtype, config->antiquant_scale->dtype, norm};
    /* x2 may also be of a dtype that is none. */
    const int32_t gamma = norm ? config->gamma->dtype : MMARN_F32;
    const int32_t scale = config->dequant_scale ? config->dequant_scale->dtype : 0;
    const int32_t out = gamma != MMARN_F32                         ? gamma
                        : scale == MMARN_I64 || scale == MMARN_U64 ? MMARN_F16
                        : scale == MMARN_BF16                      ? MMARN_BF16
                                                                   : 0;
    return (struct op_kind){OP_INT8, MMARN_I8, out, norm};
}

struct op_kind op_kind_without_matmul(const mmarn_op_config *config, const mmarn_tensor *x1)
{
    const int32_t dtype = x1 ? x1->dtype : 0;
    return (struct op_kind){OP_FLOAT, dtype, dtype, config->gamma};
}

int32_t op_out_dtype(const struct op_call *call)
{
    const mmarn_step *step = &call->step;
    if (call->kind.out_dtype)
        return call->kind.out_dtype;
    if (step->norm_out && step->norm_out->dtype != MMARN_I8)
        return step->norm_out->dtype;
    return step->mm_out ? step->mm_out->dtype : step->y ? step->y->dtype : 0;
}

struct op_rows op_rows_shard(int64_t rows, int rank, int world_size)
{
    assert(rows >= 0 && rank >= 0 && rank < world_size);
    const int64_t least = rows / world_size, more = rows % world_size;
    return (struct op_rows){rank * least + (rank < more ? rank : more), least + (rank < more)};
}

struct op_rows op_rows_of(const struct op_call *call)
{
    const int64_t rows = tensor_rows(call->step.x1);
    if (call->config->flags & MMARN_SHARD_ROWS && call->form != MMARN_FORM_OP_MATMUL)
        return op_rows_shard(rows, call->rank, call->world_size);
    return (struct op_rows){0, rows};
}
