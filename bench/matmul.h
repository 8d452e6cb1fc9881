/* SPDX-License-Identifier: MIT */
/*
 * matmul.h - another library's matmul of one rank, partial = x1 @ x2. Each matmul_*.c is one library; a program links
 * one of them.
 */
#ifndef MMARN_BENCH_MATMUL_H
#define MMARN_BENCH_MATMUL_H

#include "control.h"
#include "inputs.h"

struct matmul;

/* Whether inputs_make should lay x2 out as (n, k). */
bool matmul_turned(void);

/*
 * Packs problem->copies copies of the weights as the library likes them best. *wire is the dtype of the partial sums:
 * fp32, or on return something else if the caller set it to something else and the library can write that. NULL after
 * control_fail.
 */
struct matmul *matmul_create(struct member *member, const struct problem *problem, const struct inputs *inputs,
                             int32_t *wire);
void matmul_destroy(struct matmul *matmul);
bool matmul_run(struct matmul *matmul, int64_t copy, const void *x1, void *partial);
void matmul_describe(char *text, int size);

#endif
