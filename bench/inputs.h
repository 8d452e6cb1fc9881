/* SPDX-License-Identifier: MIT */
/*
 * inputs.h - what is computed: a problem, and one rank's operands of it. Elements are hashes of their index, scaled by
 * powers of two, and exact in every type of the case, so that every peer, in C or in Python (inputs.py), has the same
 * ones.
 */
#ifndef MMARN_BENCH_INPUTS_H
#define MMARN_BENCH_INPUTS_H

#include <stdbool.h>
#include <stdint.h>

#include "mmarn/mmarn.h"

/* x1 and x2; outputs are x1's type, and bf16 for int8 x int8. */
enum type { TYPE_F32, TYPE_F16, TYPE_BF16, TYPE_INT8, TYPE_F16_INT8, TYPE_F16_INT4, TYPES };
extern const char *const type_names[TYPES];

/* Rows of int4 weights that share a scale. */
enum { INPUTS_GROUP = 128 };

#define INPUTS_EPSILON 1e-6

struct problem {
    enum type type;
    int64_t rows, k, n; /* k of each rank */
    int copies;         /* of the weights, used in turn, so that no cache holds all of them */
};

/* The MMARN dtypes of x1, x2 and the outputs. */
int32_t inputs_x1_type(enum type type);
int32_t inputs_x2_type(enum type type);
int32_t inputs_out_type(enum type type);
int64_t inputs_bytes(int32_t dtype, int64_t elements);

/* Numbers of a float dtype from and to fp32. */
void inputs_to_f32(int32_t dtype, const void *from, float *to, int64_t count);
void inputs_from_f32(int32_t dtype, const float *from, void *to, int64_t count);

/* scale: fp32 (n) for int8 x int8; f16 (n) for int8 weights; f16 (k / 128, n) for int4 weights; else NULL. */
struct inputs {
    void *x1, *x2, *residual, *gamma, *scale;
    void *y, *norm_out; /* filled with NaN */
};

/* x2 is (k, n), or (n, k) if `turned`. False when memory is short; inputs_free must be called in any case. */
bool inputs_make(const struct problem *problem, int rank, int world, bool turned, struct inputs *inputs);
void inputs_free(struct inputs *inputs);

#endif
