/* SPDX-License-Identifier: MIT */
/*
 * op_case.h - one case of the operator: random inputs for every rank, the expected bits (reference/exact.h), and one
 * rank's run compared with them.
 */
#ifndef MMARN_TESTS_OP_CASE_H
#define MMARN_TESTS_OP_CASE_H

#include <stdint.h>

#include "group.h"
#include "odd_env.h"

enum op_case_call {
    OP_CASE_PACKED,   /* mmarn_op_create packs x2, mmarn_op_run */
    OP_CASE_BORROWED, /* MMARN_BORROW_X2 */
    OP_CASE_ONCE,     /* mmarn_mm_all_reduce_add_rms_norm */
    OP_CASE_PARTS     /* mmarn_all_reduce_add_rms_norm over this rank's rounded partials */
};

struct op_case {
    int32_t dtype, numerics;
    bool wide_residual, wide_gamma; /* fp32, for any dtype; y has the type of residual */
    int huge;                       /* residuals are multiplied by 2 to this power */
    int64_t b, s, k, n;             /* b = 0: 2-D tensors of s rows */
    int64_t k_more;                 /* rank r has k + r * k_more */
    enum op_case_call call;
    bool bias, bias_once, trans_x2, in_place;
    bool tiny; /* products, sums and outputs are subnormal numbers of fp32, or of f16 */
    int threads;
    enum odd_env env; /* the last rank calls from it, and must still have it afterwards */
};

/* Inputs of every rank; residual and gamma differ between ranks. Filled before ranks start, then only read. */
struct op_data {
    const struct op_case *shape;
    int world_size;
    void *x1[MMARN_MAX_RANKS], *x2[MMARN_MAX_RANKS], *bias[MMARN_MAX_RANKS];
    void *residual[MMARN_MAX_RANKS], *gamma[MMARN_MAX_RANKS];
    void *x[MMARN_MAX_RANKS]; /* OP_CASE_PARTS: partials in the dtype */
    float *mm;                /* the sum, as the mode rounds it */
};

void op_data_make(struct op_data *data, const struct op_case *shape, int world_size);
void op_data_free(struct op_data *data);

/* FNV-1a over elements of a float dtype, as numbers of 16 or 32 bits. Begin with OP_HASH. */
#define OP_HASH UINT64_C(0xcbf29ce484222325)
uint64_t op_hash(uint64_t hash, int32_t dtype, const void *array, int64_t count);

/* A hash of the expected bits over all ranks. It depends only on the shape and the seed. */
uint64_t op_data_hash(const struct op_data *data);

/* Runs the case twice on this rank and compares every bit of both outputs. */
bool op_case_run(struct group_rank *rank, mmarn_comm *comm, const struct op_data *data);

/* Cases one after another in one group, whose ranks have this many threads: for group_run. */
struct op_batch {
    const struct op_data *data;
    int count, threads;
};
bool op_batch_run(struct group_rank *rank, void *batch);

/* "f16 (2, 3, 64) @ (64, 40) default packed bias" */
void op_case_text(const struct op_case *shape, char *text, size_t size);

#endif
