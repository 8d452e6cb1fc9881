/* SPDX-License-Identifier: MIT */
/*
 * quant_case.h - one case of a quantised scenario: random inputs for every rank, the expected bits
 * (reference/quantised.h and reference/exact.h), and one rank's run compared with them.
 */
#ifndef MMARN_TESTS_QUANT_CASE_H
#define MMARN_TESTS_QUANT_CASE_H

#include <stdint.h>

#include "group.h"
#include "odd_env.h"

/*
 * Special data: sums at the ends of their range; scales of all sizes, infinities and NaNs; small scales, and outputs
 * that are subnormal numbers.
 */
enum quant_data { QUANT_NORMAL, QUANT_EXTREME, QUANT_HOSTILE, QUANT_TINY };
enum quant_scale { QUANT_PER_TENSOR, QUANT_PER_CHANNEL, QUANT_PER_GROUP };
enum quant_call { QUANT_PACKED, QUANT_BORROWED, QUANT_ONCE };

struct quant_case {
    int32_t x_dtype, x2_dtype; /* i8 and i8; or a float type and i8 or i4 */
    int32_t out_dtype;
    bool wide_residual, wide_gamma; /* fp32, for any out_dtype; y has the type of residual */
    int32_t scale_dtype;            /* int8 x int8: of dequant_scale */
    int32_t numerics;
    int64_t rows, k, n, group;
    enum quant_scale scale;
    enum quant_call call;
    enum quant_data data;
    bool offset, bias, trans_x2, per_token, strided_scale;
    int threads;
    enum odd_env env; /* the last rank calls from it, and must still have it afterwards */
};

struct quant_data_set;

/* Inputs of all ranks and the expected mm_out; made before ranks start, then only read. */
struct quant_data_set *quant_data_make(const struct quant_case *shape, int world_size, uint64_t stream);
void quant_data_free(struct quant_data_set *set);

/* A hash of the expected bits over all ranks. It depends only on the shape, the seed and the stream. */
uint64_t quant_data_hash(const struct quant_data_set *set);

/* Runs the case on this rank and compares every bit of both outputs. An expected NaN only has to be a NaN. */
bool quant_case_run(struct group_rank *rank, mmarn_comm *comm, const struct quant_data_set *set);

/* Cases one after another in one group, whose ranks have this many threads: for group_run. */
struct quant_batch {
    struct quant_data_set *const *sets;
    int count, threads;
};
bool quant_batch_run(struct group_rank *rank, void *batch);

void quant_case_text(const struct quant_case *shape, char *text, size_t size);

#endif
