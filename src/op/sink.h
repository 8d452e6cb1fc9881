/*
 * sink.h - from sums to outputs: residual and norm over tiles and rows of a pipeline's op_sink.
 */
#ifndef MMARN_OP_SINK_H
#define MMARN_OP_SINK_H

#include "op/pipeline.h"

/* Takes in a tile of sums (dense, sum_dtype): adds the residual and writes y. */
void op_sink_sum(const struct op_sink *sink, int64_t n, const struct op_tile *tile, const void *sum);

/* The same from all ranks' parts, which are summed on the way. */
void op_sink_parts(const struct op_sink *sink, int64_t n, const struct op_tile *tile, const float *const parts[],
                   int world_size);

/* Writes norm_out for rows whose y is complete. */
void op_sink_norm(const struct op_sink *sink, int64_t n, int64_t row, int rows);

#endif
