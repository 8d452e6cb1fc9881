/* SPDX-License-Identifier: MIT */
/*
 * form_case.h - one case of the operator's forms: its call, options and tensors; random inputs for every rank; the
 * expected bits (reference/exact.h, reference/forms.h); and one rank's run compared with them.
 */
#ifndef MMARN_TESTS_FORM_CASE_H
#define MMARN_TESTS_FORM_CASE_H

#include <stdint.h>

#include "group.h"

enum form_call { FORM_OP_RUN, FORM_ONCE, FORM_MM_ALL_REDUCE, FORM_ALL_REDUCE_NORM, FORM_ADD_NORM, FORM_CALLS };

struct form_case {
    enum form_call call;
    int32_t dtype, numerics, gamma_dtype;
    int32_t residual; /* its dtype, or 0: none */
    int32_t y;        /* its dtype, or 0: not wanted */
    int32_t norm;     /* norm_out's dtype, I8, or 0 */
    int32_t x3;       /* its dtype, or 0: none */
    bool mm_out, rstd, bias, in_place, plus_one, norm_first, shard, gamma;
    int64_t rows, k, n;
};

/* A valid case made from a key. */
struct form_case form_case_random(uint64_t key);

struct form_data {
    struct form_case shape;
    int world_size;
    void *x1[MMARN_MAX_RANKS], *x2[MMARN_MAX_RANKS], *bias[MMARN_MAX_RANKS], *x3[MMARN_MAX_RANKS];
    void *residual[MMARN_MAX_RANKS], *gamma[MMARN_MAX_RANKS];
    float *mm; /* the sum, as the mode rounds it; FORM_ADD_NORM: unused */
};

void form_data_make(struct form_data *data, const struct form_case *shape, int world_size, uint64_t key);
void form_data_free(struct form_data *data);

/* Runs the case on this rank and compares every bit of every output. */
bool form_case_run(struct group_rank *rank, mmarn_comm *comm, const struct form_data *data);

void form_case_text(const struct form_case *shape, char *text, size_t size);

#endif
