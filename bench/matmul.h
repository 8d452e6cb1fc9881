/* SPDX-License-Identifier: MIT */
/*
 * matmul.h - one rank's matmul of another library, partial = x1 @ x2. Each matmul_*.c has one library; a program links
 * one of them.
 */
#ifndef MMARN_BENCH_MATMUL_H
#define MMARN_BENCH_MATMUL_H

#include "control.h"
#include "inputs.h"

struct matmul;

/* Does inputs_make have to lay x2 out as (n, k)? */
bool matmul_turned(void);

/*
 * Packs problem->copies copies of the weights in the layout that the library prefers. *wire is the dtype of the
 * partials. It becomes fp32, unless the caller has set another type that the library can write. NULL after
 * control_fail.
 */
struct matmul *matmul_create(struct member *member, const struct problem *problem, const struct inputs *inputs,
                             int32_t *wire);
void matmul_destroy(struct matmul *matmul);
bool matmul_run(struct matmul *matmul, int64_t copy, const void *x1, void *partial);
void matmul_describe(char *text, int size);

#endif
