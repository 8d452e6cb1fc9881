/*
 * outputs.c - where a step's outputs go. A norm reads a row twice, so the row must lie somewhere: in y, or in mm_out
 * where the norm comes first. If the caller does not want that output, norm_out's memory serves, as long as it is of
 * the same type; else there is room made for it.
 */
#include "op/outputs.h"

#include "base/convert.h"
#include "base/memory.h"

float *outputs_gamma_plus_one(const mmarn_tensor *gamma)
{
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

/* The memory of an output in which rows of this type can lie until their norm overwrites them, or NULL. */
static void *place_for(const struct op_sink *sink, int32_t dtype)
{
    return dtype == sink->dtype ? sink->norm_out : NULL;
}

static void set_outputs(const struct op_call *call, const struct op_gamma *gamma, struct op_sink *sink)
{
    const mmarn_step *step = &call->step;
    const struct op_rows rows = op_rows_of(call);
    const mmarn_tensor *stream = step->residual ? step->residual : step->y;
    const bool quantised = step->norm_out && step->norm_out->dtype == MMARN_I8;
    sink->dtype = op_out_dtype(call);
    sink->y_dtype = stream ? stream->dtype : sink->dtype;
    sink->norm_first = call->config->flags & MMARN_NORM_FIRST && gamma->data;
    sink->first = rows.first;
    sink->count = rows.count;
    sink->mm = data_of(step->mm_out);
    sink->residual = data_of(step->residual);
    sink->y = data_of(step->y);
    sink->norm_out = quantised ? NULL : data_of(step->norm_out);
    sink->quantised = quantised ? step->norm_out->data : NULL;
    sink->norm_scale = data_of(step->norm_scale);
    sink->rstd = data_of(step->rstd);
    if (step->norm_out || step->rstd || (sink->norm_first && step->y)) {
        sink->gamma = gamma->data;
        sink->gamma_dtype = gamma->dtype;
    }
}

/* Where the rows lie that the norm reads; NULL: nowhere yet. */
static void **find_normed(struct op_sink *sink)
{
    if (!sink->norm_first) {
        if (!sink->y)
            sink->y = place_for(sink, sink->y_dtype);
        return &sink->y;
    }
    if (!sink->mm)
        sink->mm = place_for(sink, sink->dtype);
    if (!sink->mm && sink->y != sink->residual && sink->y_dtype == sink->dtype)
        sink->mm = sink->y;
    return &sink->mm;
}

bool outputs_open(const struct op_call *call, const struct op_gamma *gamma, int64_t columns, int threads,
                  struct op_sink *sink, void **room, struct error *error)
{
    *room = NULL;
    set_outputs(call, gamma, sink);
    if (!sink->gamma)
        return true;
    void **normed = find_normed(sink);
    const size_t element = dtype_size(sink->norm_first ? sink->dtype : sink->y_dtype);
    /* Rows of a shard that has none need no place, but somewhere that is not NULL to point to. */
    const size_t kept = *normed ? 0 : (size_t)(sink->count * columns) * element;
    const size_t whole = (kept + 63) / 64 * 64;
    const size_t rows = sink->norm_out ? 0 : (size_t)(threads * columns) * dtype_size(sink->dtype);
    if (whole + rows == 0)
        return true;
    char *block = memory_alloc(whole + rows, 1);
    *room = block;
    if (!block)
        return error_fail(error, MMARN_ERR_MEMORY,
                          "no memory for %lld rows of %lld columns that the step keeps while it runs",
                          (long long)sink->count, (long long)columns);
    if (kept)
        *normed = block;
    if (rows)
        sink->rows = block + whole;
    return true;
}
