/*
 * sink.c - residual and norm. A tile is taken in as soon as it is there, while it is in cache; a row's statistic needs
 * the whole row, so norms run over finished rows, which are then still in cache too.
 */
#include "op/sink.h"

#include <assert.h>
#include <string.h>

#include "base/convert.h"
#include "base/float_env.h"
#include "coll/reduce.h"
#include "norm/norm.h"

enum { LINE = 64 };

/* Element `at` of a matrix that there is. */
static void *element(const void *matrix, int32_t dtype, int64_t at)
{
    return (char *)(uintptr_t)matrix + (size_t)at * dtype_size(dtype);
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

static bool adds_on_the_way(const struct op_sink *sink)
{
    return sink->y && !sink->norm_first;
}

void op_sink_round(struct op_sink *sink, int32_t numerics, bool keep_sum)
{
    const bool wide = numerics == MMARN_NUMERICS_FP32;
    sink->sum_dtype = wide && keep_sum ? MMARN_F32 : sink->dtype;
    sink->in_rank_order = numerics == MMARN_NUMERICS_ASCEND;
    sink->round_twice = !wide;
    sink->rescale = !sink->in_rank_order;
}

/* From one type to another, of which one is fp32 if they differ. */
static void convert(int32_t from, const void *in, int32_t to, void *out, size_t count)
{
    assert(from == to || from == MMARN_F32 || to == MMARN_F32);
    if (from == to) {
        if (in != out)
            memcpy(out, in, count * dtype_size(to));
    } else if (to == MMARN_F32) {
        convert_to_f32(from, in, out, count);
    } else {
        convert_from_f32(to, in, out, count);
    }
}

/* Elements of the outputs from `at`, in one row, from their sums in sum_dtype. */
static void take_in(const struct op_sink *sink, int64_t at, const void *sum, size_t count)
{
    if (sink->mm)
        convert(sink->sum_dtype, sum, sink->dtype, element(sink->mm, sink->dtype, at), count);
    if (!adds_on_the_way(sink))
        return;
    void *y = element(sink->y, sink->y_dtype, at);
    if (!sink->residual)
        convert(sink->sum_dtype, sum, sink->y_dtype, y, count);
    else if (round_sum(sink))
        norm_kernel_best()->add[sink->dtype][wide_y(sink)](sum, element(sink->residual, sink->y_dtype, at), y, count);
    else
        norm_kernel_best()->add_sum[sink->dtype][wide_y(sink)](sum, NULL, false,
                                                               element(sink->residual, sink->y_dtype, at), y, count);
}

static void prefetch_read(const void *matrix, size_t first, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += LINE)
        __builtin_prefetch((const char *)matrix + first + i, 0);
}

static void prefetch_write(const void *matrix, size_t first, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += LINE)
        __builtin_prefetch((const char *)matrix + first + i, 1);
}

/*
 * Asks for what the next row of a tile will need: a tile's rows are short runs, far apart, in which the processor's own
 * prefetchers are late each time.
 */
static void prefetch_row(const struct op_sink *sink, int64_t at, size_t count)
{
    const size_t y_size = dtype_size(sink->y_dtype), first = (size_t)at * y_size, bytes = count * y_size;
    if (sink->mm) {
        const size_t size = dtype_size(sink->dtype);
        prefetch_write(sink->mm, (size_t)at * size, count * size);
    }
    if (!adds_on_the_way(sink))
        return;
    if (sink->residual)
        prefetch_read(sink->residual, first, bytes);
    if (sink->y != sink->residual)
        prefetch_write(sink->y, first, bytes);
}

/* The rows of a tile that are taken in here: [*from, *to), counted from the tile's first. */
static void own_rows(const struct op_sink *sink, int64_t row, int rows, int *from, int *to)
{
    const int64_t end = sink->first + sink->count;
    assert(row >= 0 && rows >= 0 && sink->first >= 0 && sink->count >= 0);
    *from = sink->first > row ? (int)(sink->first - row < rows ? sink->first - row : rows) : 0;
    *to = end < row + rows ? (int)(end > row ? end - row : 0) : rows;
}

void op_sink_sum(const struct op_sink *sink, int64_t n, const struct op_tile *tile, const void *sum)
{
    const size_t columns = (size_t)tile->columns;
    int from, to;
    own_rows(sink, tile->row, tile->rows, &from, &to);
    for (int i = from; i < to; i++) {
        const int64_t at = (tile->row + i - sink->first) * n + tile->column;
        if (i + 1 < to)
            prefetch_row(sink, at + n, columns);
        take_in(sink, at, element(sum, sink->sum_dtype, (int64_t)i * tile->columns), columns);
    }
}

/* The same from all ranks' parts of it. */
static void take_in_parts(const struct op_sink *sink, int64_t at, const float *const parts[], int world_size,
                          size_t count)
{
    struct coll_subtrees subtrees;
    if (sink->mm && !adds_on_the_way(sink) && round_sum(sink)) {
        coll_reduce(parts, world_size, (int64_t)count, sink->dtype, sink->in_rank_order,
                    element(sink->mm, sink->dtype, at));
    } else if (sink->mm || !sink->residual || sink->in_rank_order) {
        float sum[COLL_CHUNK]; /* of sum_dtype, which is at most as wide */
        coll_reduce(parts, world_size, (int64_t)count, sink->sum_dtype, sink->in_rank_order, sum);
        take_in(sink, at, sum, count);
    } else {
        coll_reduce_subtrees(parts, world_size, count, &subtrees);
        norm_kernel_best()->add_sum[sink->dtype][wide_y(sink)](subtrees.left, subtrees.right, round_sum(sink),
                                                               element(sink->residual, sink->y_dtype, at),
                                                               element(sink->y, sink->y_dtype, at), count);
    }
}

void op_sink_parts(const struct op_sink *sink, int64_t n, const struct op_tile *tile, const float *const parts[],
                   int world_size)
{
    int from, to;
    own_rows(sink, tile->row, tile->rows, &from, &to);
    for (int i = from; i < to; i++) {
        for (int column = 0; column < tile->columns; column += COLL_CHUNK) {
            int left = tile->columns - column;
            int count = left < COLL_CHUNK ? left : COLL_CHUNK;
            const float *at[MMARN_MAX_RANKS];
            for (int rank = 0; rank < world_size; rank++)
                at[rank] = parts[rank] + (int64_t)i * tile->columns + column;
            take_in_parts(sink, (tile->row + i - sink->first) * n + tile->column + column, at, world_size,
                          (size_t)count);
        }
    }
}

/* y = norm_out + residual, for one row; the norm came first. */
static void add_after(const struct op_sink *sink, int64_t n, int64_t row, const void *norm_out)
{
    void *y = element(sink->y, sink->y_dtype, row * n);
    if (sink->residual)
        norm_kernel_best()->add[sink->dtype][wide_y(sink)](norm_out, element(sink->residual, sink->y_dtype, row * n), y,
                                                           (size_t)n);
    else
        convert(sink->dtype, norm_out, sink->y_dtype, y, (size_t)n);
}

/* What follows a row's norm. */
static void finish_row(const struct op_sink *sink, int64_t n, int64_t row, const void *norm_out)
{
    if (sink->quantised)
        sink->norm_scale[row] =
            norm_kernel_best()->quantise[sink->dtype](norm_out, sink->quantised + row * n, (size_t)n);
    if (sink->norm_first && sink->y)
        add_after(sink, n, row, norm_out);
}

void op_sink_norm(const struct op_sink *sink, int64_t n, int64_t row, int rows, int thread)
{
    norm_row_fn *norm = norm_kernel_best()->row[sink->dtype];
    const void *normed = sink->norm_first ? sink->mm : sink->y;
    assert(sink->gamma && n > 0 && (normed || sink->count == 0) && (sink->norm_out || sink->rows) && float_env_holds());
    const int32_t normed_dtype = sink->norm_first ? sink->dtype : sink->y_dtype;
    struct norm_row call = {
        .gamma = sink->gamma,
        .n = (size_t)n,
        .epsilon = sink->epsilon,
        .wide_y = normed_dtype != sink->dtype,
        .wide_gamma = sink->gamma_dtype != sink->dtype,
        .round_twice = sink->round_twice,
        .rescale = sink->rescale,
    };
    int from, to;
    own_rows(sink, row, rows, &from, &to);
    for (int64_t i = row + from - sink->first; i < row + to - sink->first; i++) {
        call.y = element(normed, normed_dtype, i * n);
        call.norm_out =
            sink->norm_out ? element(sink->norm_out, sink->dtype, i * n) : element(sink->rows, sink->dtype, thread * n);
        call.rstd = sink->rstd ? sink->rstd + i : NULL;
        norm(&call);
        finish_row(sink, n, i, call.norm_out);
    }
}
