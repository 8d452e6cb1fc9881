/* SPDX-License-Identifier: MIT */
/*
 * split.c - see split.h. The linker's --wrap puts these functions between the library's pipeline and its steps. The
 * time outside them is waiting: for other ranks' tiles, for free buffers in a ring, for the ranks to agree. For one
 * thread.
 */
#include "split.h"

#include <string.h>

#include "coll/reduce.h"
#include "control.h"
#include "gemm/gemm.h"
#include "measure/clock.h"
#include "op/epilogue.h"

static double total[PARTS], began;
static int depth; /* a step may call another one: only the outer one counts */

void split_begin(void)
{
    memset(total, 0, sizeof(total));
    began = clock_seconds();
}

void split_end(double *parts)
{
    total[PART_WAIT] = clock_seconds() - began - total[PART_MATMUL] - total[PART_REDUCE] - total[PART_NORM];
    for (int part = 0; part < PARTS; part++)
        parts[part] += total[part];
}

static double enter(void)
{
    return depth++ == 0 ? clock_seconds() : 0.0;
}

static void leave(enum part part, double start)
{
    if (--depth == 0)
        total[part] += clock_seconds() - start;
}

#define WRAP(part, name, parameters, arguments)                                                                        \
    void __real_##name parameters;                                                                                     \
    void __wrap_##name parameters;                                                                                     \
    void __wrap_##name parameters                                                                                      \
    {                                                                                                                  \
        const double start = enter();                                                                                  \
        __real_##name arguments;                                                                                       \
        leave(part, start);                                                                                            \
    }

WRAP(PART_MATMUL, gemm_tile,
     (const struct gemm_weights *weights, struct gemm_scratch *scratch, const void *x1, int64_t row, int m, int64_t col,
      int n, float *c, ptrdiff_t ldc),
     (weights, scratch, x1, row, m, col, n, c, ldc))
WRAP(PART_MATMUL, gemm_dequantise,
     (float *c, ptrdiff_t ldc, int m, int n, const int32_t *bias, const float *scale, const float *row_scale),
     (c, ldc, m, n, bias, scale, row_scale))
WRAP(PART_REDUCE, coll_reduce,
     (const float *const parts[], int world_size, int64_t count, int32_t out_dtype, bool in_rank_order, void *out),
     (parts, world_size, count, out_dtype, in_rank_order, out))
WRAP(PART_REDUCE, op_epilogue_sum,
     (const struct op_epilogue *epilogue, int64_t n, const struct op_tile *tile, const void *sum),
     (epilogue, n, tile, sum))
WRAP(PART_REDUCE, op_epilogue_partials,
     (const struct op_epilogue *epilogue, int64_t n, const struct op_tile *tile, const float *const parts[],
      int world_size),
     (epilogue, n, tile, parts, world_size))
WRAP(PART_NORM, op_epilogue_norm, (const struct op_epilogue *epilogue, int64_t n, int64_t row, int rows, int thread),
     (epilogue, n, row, rows, thread))
