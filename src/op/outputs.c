/* SPDX-License-Identifier: MIT */
/*
 * outputs.c - where a step's outputs go. A norm reads a row twice, so the row must be stored: in y, or in mm_out where
 * the norm comes first. If the caller does not want that output, the memory of norm_out serves if it has the same type;
 * otherwise memory is allocated for it.
 */
#include "op/outputs.h"

#include <assert.h>

#include "base/convert.h"
#include "base/memory.h"

float *outputs_gamma_plus_one(const mmarn_tensor *gamma)
{
    assert(gamma->ndim == 1);
    const size_t n = (size_t)gamma->shape[0];
    float *plus_one = memory_alloc(n, sizeof *plus_one);
    if (!plus_one)
        return NULL;
    convert_to_f32(gamma->dtype, gamma->data, plus_one, n);
    for (size_t i = 0; i < n; i++)
        plus_one[i] += 1.0F;
    return plus_one;
}

static void *data_of(const mmarn_tensor *tensor)
{
    return tensor ? tensor->data : NULL;
}

/* An output whose memory can hold rows of this type until their norm overwrites them, or NULL. */
static void *place_for(const struct op_epilogue *epilogue, int32_t dtype)
{
    return dtype == epilogue->dtype ? epilogue->norm_out : NULL;
}

static void set_outputs(const struct op_call *call, const struct op_gamma *gamma, struct op_epilogue *epilogue)
{
    const mmarn_step *step = &call->step;
    const struct op_rows rows = op_rows_of(call);
    const mmarn_tensor *stream = step->residual ? step->residual : step->y;
    const bool quantised = step->norm_out && step->norm_out->dtype == MMARN_I8;
    epilogue->dtype = op_out_dtype(call);
    epilogue->y_dtype = stream ? stream->dtype : epilogue->dtype;
    epilogue->norm_first = call->config->flags & MMARN_NORM_FIRST && gamma->data;
    epilogue->first = rows.first;
    epilogue->count = rows.count;
    epilogue->mm = data_of(step->mm_out);
    epilogue->residual = data_of(step->residual);
    epilogue->y = data_of(step->y);
    epilogue->norm_out = quantised ? NULL : data_of(step->norm_out);
    epilogue->quantised = quantised ? step->norm_out->data : NULL;
    epilogue->norm_scale = data_of(step->norm_scale);
    epilogue->rstd = data_of(step->rstd);
    if (step->norm_out || step->rstd || (epilogue->norm_first && step->y)) {
        epilogue->gamma = gamma->data;
        epilogue->gamma_dtype = gamma->dtype;
    }
}

/* The pointer to the rows that the norm reads. It is NULL if they have no memory yet. */
static void **find_normed(struct op_epilogue *epilogue)
{
    if (!epilogue->norm_first) {
        if (!epilogue->y)
            epilogue->y = place_for(epilogue, epilogue->y_dtype);
        return &epilogue->y;
    }
    if (!epilogue->mm)
        epilogue->mm = place_for(epilogue, epilogue->dtype);
    if (!epilogue->mm && epilogue->y != epilogue->residual && epilogue->y_dtype == epilogue->dtype)
        epilogue->mm = epilogue->y;
    return &epilogue->mm;
}

bool outputs_open(const struct op_call *call, const struct op_gamma *gamma, int64_t columns, int threads,
                  struct op_epilogue *epilogue, void **room, struct error *error)
{
    assert(columns > 0 && threads > 0);
    *room = NULL;
    set_outputs(call, gamma, epilogue);
    if (!epilogue->gamma)
        return true;
    void **normed = find_normed(epilogue);
    const size_t element = dtype_size(epilogue->norm_first ? epilogue->dtype : epilogue->y_dtype);
    /* A shard without rows needs no memory, but a pointer that is not NULL. */
    const size_t kept = *normed ? 0 : (size_t)(epilogue->count * columns) * element;
    const size_t whole = (kept + 63) / 64 * 64;
    const size_t rows = epilogue->norm_out ? 0 : (size_t)(threads * columns) * dtype_size(epilogue->dtype);
    if (whole + rows == 0)
        return true;
    char *block = memory_alloc(whole + rows, 1);
    *room = block;
    if (!block)
        return error_fail(error, MMARN_ERR_MEMORY,
                          "no memory for %lld rows of %lld columns that the step keeps while it runs",
                          (long long)epilogue->count, (long long)columns);
    if (kept)
        *normed = block;
    if (rows)
        epilogue->rows = block + whole;
    return true;
}
