/* SPDX-License-Identifier: MIT */
/*
 * epilogue.c - residual and norm. A tile gets its residual as soon as its sum has come, while it is in cache. A row's
 * statistic needs the whole row, so norms run over finished rows, which are then still in cache too.
 */
#include "op/epilogue.h"

#include <assert.h>
#include <string.h>

#include "base/convert.h"
#include "base/float_env.h"
#include "coll/reduce.h"
#include "norm/norm.h"

enum { LINE = 64 };

/* Element `at` of a matrix that is not NULL. */
static void *element(const void *matrix, int32_t dtype, int64_t at)
{
    return (char *)(uintptr_t)matrix + (size_t)at * dtype_size(dtype);
}

/* The index in norm.h's tables of kernels whose y is fp32. */
static bool wide_y(const struct op_epilogue *epilogue)
{
    return epilogue->y_dtype != epilogue->dtype;
}

static bool round_sum(const struct op_epilogue *epilogue)
{
    return epilogue->sum_dtype == epilogue->dtype;
}

static bool adds_on_the_way(const struct op_epilogue *epilogue)
{
    return epilogue->y && !epilogue->norm_first;
}

void op_epilogue_round(struct op_epilogue *epilogue, int32_t numerics, bool keep_sum)
{
    const bool wide = numerics == MMARN_NUMERICS_FP32;
    epilogue->sum_dtype = wide && keep_sum ? MMARN_F32 : epilogue->dtype;
    epilogue->in_rank_order = numerics == MMARN_NUMERICS_ASCEND;
    epilogue->round_twice = !wide;
    epilogue->rescale = !epilogue->in_rank_order;
}

/* Converts from one type to another; if they differ, one is fp32. */
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

/* Stores elements of the outputs from `at`, in one row, from their sums in sum_dtype. */
static void take_in(const struct op_epilogue *epilogue, int64_t at, const void *sum, size_t count)
{
    if (epilogue->mm)
        convert(epilogue->sum_dtype, sum, epilogue->dtype, element(epilogue->mm, epilogue->dtype, at), count);
    if (!adds_on_the_way(epilogue))
        return;
    void *y = element(epilogue->y, epilogue->y_dtype, at);
    if (!epilogue->residual)
        convert(epilogue->sum_dtype, sum, epilogue->y_dtype, y, count);
    else if (round_sum(epilogue))
        norm_kernel_best()->add[epilogue->dtype][wide_y(epilogue)](
            sum, element(epilogue->residual, epilogue->y_dtype, at), y, count);
    else
        norm_kernel_best()->add_sum[epilogue->dtype][wide_y(epilogue)](
            sum, NULL, false, element(epilogue->residual, epilogue->y_dtype, at), y, count);
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
 * Prefetches what the next row of a tile needs: the rows of a tile are short runs, far apart, and the processor's own
 * prefetchers are late for each of them.
 */
static void prefetch_row(const struct op_epilogue *epilogue, int64_t at, size_t count)
{
    const size_t y_size = dtype_size(epilogue->y_dtype), first = (size_t)at * y_size, bytes = count * y_size;
    if (epilogue->mm) {
        const size_t size = dtype_size(epilogue->dtype);
        prefetch_write(epilogue->mm, (size_t)at * size, count * size);
    }
    if (!adds_on_the_way(epilogue))
        return;
    if (epilogue->residual)
        prefetch_read(epilogue->residual, first, bytes);
    if (epilogue->y != epilogue->residual)
        prefetch_write(epilogue->y, first, bytes);
}

/* The rows of a tile that this rank stores: [*from, *to), counted from the tile's first row. */
static void own_rows(const struct op_epilogue *epilogue, int64_t row, int rows, int *from, int *to)
{
    const int64_t end = epilogue->first + epilogue->count;
    assert(row >= 0 && rows >= 0 && epilogue->first >= 0 && epilogue->count >= 0);
    *from = epilogue->first > row ? (int)(epilogue->first - row < rows ? epilogue->first - row : rows) : 0;
    *to = end < row + rows ? (int)(end > row ? end - row : 0) : rows;
}

void op_epilogue_sum(const struct op_epilogue *epilogue, int64_t n, const struct op_tile *tile, const void *sum)
{
    const size_t columns = (size_t)tile->columns;
    int from, to;
    own_rows(epilogue, tile->row, tile->rows, &from, &to);
    for (int i = from; i < to; i++) {
        const int64_t at = (tile->row + i - epilogue->first) * n + tile->column;
        if (i + 1 < to)
            prefetch_row(epilogue, at + n, columns);
        take_in(epilogue, at, element(sum, epilogue->sum_dtype, (int64_t)i * tile->columns), columns);
    }
}

/* The same from all ranks' partials of it. */
static void take_in_parts(const struct op_epilogue *epilogue, int64_t at, const float *const parts[], int world_size,
                          size_t count)
{
    struct coll_subtrees subtrees;
    if (epilogue->mm && !adds_on_the_way(epilogue) && round_sum(epilogue)) {
        coll_reduce(parts, world_size, (int64_t)count, epilogue->dtype, epilogue->in_rank_order,
                    element(epilogue->mm, epilogue->dtype, at));
    } else if (epilogue->mm || !epilogue->residual || epilogue->in_rank_order) {
        float sum[COLL_CHUNK]; /* of sum_dtype, which is at most as wide */
        coll_reduce(parts, world_size, (int64_t)count, epilogue->sum_dtype, epilogue->in_rank_order, sum);
        take_in(epilogue, at, sum, count);
    } else {
        coll_reduce_subtrees(parts, world_size, count, &subtrees);
        norm_kernel_best()->add_sum[epilogue->dtype][wide_y(epilogue)](
            subtrees.left, subtrees.right, round_sum(epilogue), element(epilogue->residual, epilogue->y_dtype, at),
            element(epilogue->y, epilogue->y_dtype, at), count);
    }
}

void op_epilogue_partials(const struct op_epilogue *epilogue, int64_t n, const struct op_tile *tile,
                          const float *const parts[], int world_size)
{
    int from, to;
    own_rows(epilogue, tile->row, tile->rows, &from, &to);
    for (int i = from; i < to; i++) {
        for (int column = 0; column < tile->columns; column += COLL_CHUNK) {
            int left = tile->columns - column;
            int count = left < COLL_CHUNK ? left : COLL_CHUNK;
            const float *at[MMARN_MAX_RANKS];
            for (int rank = 0; rank < world_size; rank++)
                at[rank] = parts[rank] + (int64_t)i * tile->columns + column;
            take_in_parts(epilogue, (tile->row + i - epilogue->first) * n + tile->column + column, at, world_size,
                          (size_t)count);
        }
    }
}

/* y = norm_out + residual, for one row; the norm came first. */
static void add_after(const struct op_epilogue *epilogue, int64_t n, int64_t row, const void *norm_out)
{
    void *y = element(epilogue->y, epilogue->y_dtype, row * n);
    if (epilogue->residual)
        norm_kernel_best()->add[epilogue->dtype][wide_y(epilogue)](
            norm_out, element(epilogue->residual, epilogue->y_dtype, row * n), y, (size_t)n);
    else
        convert(epilogue->dtype, norm_out, epilogue->y_dtype, y, (size_t)n);
}

/* The work that follows a row's norm. */
static void finish_row(const struct op_epilogue *epilogue, int64_t n, int64_t row, const void *norm_out)
{
    if (epilogue->quantised)
        epilogue->norm_scale[row] =
            norm_kernel_best()->quantise[epilogue->dtype](norm_out, epilogue->quantised + row * n, (size_t)n);
    if (epilogue->norm_first && epilogue->y)
        add_after(epilogue, n, row, norm_out);
}

void op_epilogue_norm(const struct op_epilogue *epilogue, int64_t n, int64_t row, int rows, int thread)
{
    norm_row_fn *norm = norm_kernel_best()->row[epilogue->dtype];
    const void *normed = epilogue->norm_first ? epilogue->mm : epilogue->y;
    assert(epilogue->gamma && n > 0 && (normed || epilogue->count == 0) && (epilogue->norm_out || epilogue->rows) &&
           float_env_holds());
    const int32_t normed_dtype = epilogue->norm_first ? epilogue->dtype : epilogue->y_dtype;
    struct norm_row call = {
        .gamma = epilogue->gamma,
        .n = (size_t)n,
        .epsilon = epilogue->epsilon,
        .wide_y = normed_dtype != epilogue->dtype,
        .wide_gamma = epilogue->gamma_dtype != epilogue->dtype,
        .round_twice = epilogue->round_twice,
        .rescale = epilogue->rescale,
    };
    int from, to;
    own_rows(epilogue, row, rows, &from, &to);
    for (int64_t i = row + from - epilogue->first; i < row + to - epilogue->first; i++) {
        call.y = element(normed, normed_dtype, i * n);
        call.norm_out = epilogue->norm_out ? element(epilogue->norm_out, epilogue->dtype, i * n)
                                           : element(epilogue->rows, epilogue->dtype, thread * n);
        call.rstd = epilogue->rstd ? epilogue->rstd + i : NULL;
        norm(&call);
        finish_row(epilogue, n, i, call.norm_out);
    }
}
