/* SPDX-License-Identifier: MIT */
/*
 * linear.h - a rank's weights of one matmul as an operator of the library: rounded to f16 or bf16, left in f32, or
 * quantised to int8 or int4. The library packs a copy, so nothing of the arguments is kept.
 */
#ifndef LLAMA_LINEAR_H
#define LLAMA_LINEAR_H

#include <mmarn/mmarn.h>
#include <stdbool.h>
#include <stdint.h>

/* Added to the mean square under the root of every norm; what models of this format were trained with. */
#define LLAMA_EPSILON 1e-5

struct linear_types {
    mmarn_dtype weights;     /* f32, f16, bf16, i8 or i4 */
    mmarn_dtype activations; /* weights, or f16 for i8 and i4 */
    bool int8_rows;          /* i8 weights are multiplied by rows in i8, which have a scale each */
    bool shard_rows;         /* sums, residual and norms are dealt out by rows (MMARN_SHARD_ROWS) */
};

struct linear_weights {
    const float *rows; /* (n, k) */
    int64_t n, k;
    const float *gamma; /* (n); NULL for an operator that is only used for its matmul */
};

/* False, with a sentence on stderr, when it cannot be had. */
bool linear_create(mmarn_comm *comm, struct linear_types types, const struct linear_weights *weights, mmarn_op **op);

#endif
