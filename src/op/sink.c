/*
 * sink.c - residual and norm. A tile is taken in as soon as it is there, while it is in cache; a row's statistic needs
 * the whole row, so norms run over finished rows of y, which are then still in cache too.
 */
#include "op/sink.h"

#include <string.h>

#include "norm/norm.h"

enum { LINE = 64 };

/* Element `at` of the residual, which there is. */
static const void *residual_at(const struct op_sink *sink, int64_t at)
{
    return (const char *)sink->residual + (size_t)at * dtype_size(sink->y_dtype);
}

static void *y_at(const struct op_sink *sink, int64_t at)
{
    return (char *)sink->y + (size_t)at * dtype_size(sink->y_dtype);
}

/* norm.h's index of kernels whose y is fp32. */
static bool wide_y(const struct op_sink *sink)
{
    return sink->y_dtype != sink->dtype;
}

static bool round_sum(const struct op_sink *sink)
{
    return sink->sum_dtype == sink->dtype;
}

/* Columns [column, column + count) of one row: y = sum + residual, or the sum itself. */
static void take_in(const struct op_sink *sink, int64_t at, const void *sum, size_t count)
{
    void *y = y_at(sink, at);
    if (!sink->residual)
        memcpy(y, sum, count * dtype_size(sink->dtype));
    else if (round_sum(sink))
        norm_kernel_best()->add[sink->dtype][wide_y(sink)](sum, residual_at(sink, at), y, count);
    else
        norm_kernel_best()->add_sum[sink->dtype][wide_y(sink)](sum, NULL, false, residual_at(sink, at), y, count);
}

/*
 * Asks for what the next row of a tile will need: a tile's rows are short runs, far apart, in which the processor's own
 * prefetchers are late each time.
 */
static void prefetch_row(const struct op_sink *sink, int64_t at, size_t count)
{
    const size_t size = dtype_size(sink->y_dtype), first = (size_t)at * size, bytes = count * size;
    for (size_t i = 0; i < bytes; i += LINE) {
        if (sink->residual)
            __builtin_prefetch((const char *)sink->residual + first + i, 0);
        if (sink->y != sink->residual)
            __builtin_prefetch((const char *)sink->y + first + i, 1);
    }
}

void op_sink_sum(const struct op_sink *sink, int64_t n, const struct op_tile *tile, const void *sum)
{
    size_t row_bytes = (size_t)tile->columns * dtype_size(sink->sum_dtype);
    for (int i = 0; i < tile->rows; i++) {
        int64_t at = (tile->row + i) * n + tile->column;
        if (i + 1 < tile->rows)
            prefetch_row(sink, at + n, (size_t)tile->columns);
        take_in(sink, at, (const char *)sum + (size_t)i * row_bytes, (size_t)tile->columns);
    }
}

/* The same from all ranks' parts of it. */
static void take_in_parts(const struct op_sink *sink, int64_t at, const float *const parts[], int world_size,
                          size_t count)
{
    void *y = y_at(sink, at);
    struct coll_halves halves;
    if (!sink->residual) {
        coll_reduce(parts, world_size, (int64_t)count, sink->sum_dtype, sink->in_rank_order, y);
    } else if (sink->in_rank_order) {
        float sum[COLL_CHUNK]; /* of sum_dtype, which is at most as wide */
        coll_reduce(parts, world_size, (int64_t)count, sink->sum_dtype, true, sum);
        take_in(sink, at, sum, count);
    } else {
        coll_reduce_halves(parts, world_size, count, &halves);
        norm_kernel_best()->add_sum[sink->dtype][wide_y(sink)](halves.left, halves.right, round_sum(sink),
                                                               residual_at(sink, at), y, count);
    }
}

void op_sink_parts(const struct op_sink *sink, int64_t n, const struct op_tile *tile, const float *const parts[],
                   int world_size)
{
    for (int i = 0; i < tile->rows; i++) {
        for (int column = 0; column < tile->columns; column += COLL_CHUNK) {
            int left = tile->columns - column;
            int count = left < COLL_CHUNK ? left : COLL_CHUNK;
            const float *at[MMARN_MAX_RANKS];
            for (int rank = 0; rank < world_size; rank++)
                at[rank] = parts[rank] + (int64_t)i * tile->columns + column;
            take_in_parts(sink, (tile->row + i) * n + tile->column + column, at, world_size, (size_t)count);
        }
    }
}

void op_sink_norm(const struct op_sink *sink, int64_t n, int64_t row, int rows)
{
    norm_row_fn *norm = norm_kernel_best()->row[sink->dtype];
    struct norm_row call = {
        .gamma = sink->gamma,
        .n = (size_t)n,
        .epsilon = sink->epsilon,
        .wide_y = wide_y(sink),
        .wide_gamma = sink->gamma_dtype != sink->dtype,
        .round_twice = sink->round_twice,
        .rescale = sink->rescale,
    };
    for (int64_t i = row; i < row + rows; i++) {
        call.y = y_at(sink, i * n);
        call.norm_out = (char *)sink->norm_out + (size_t)(i * n) * dtype_size(sink->dtype);
        norm(&call);
    }
}
