/* SPDX-License-Identifier: MIT */
/* add_norm.h - what follows the all-reduce for users without a fused operator: one pass per row over memory. */
#ifndef MMARN_BENCH_ADD_NORM_H
#define MMARN_BENCH_ADD_NORM_H

#include <stdint.h>

struct add_norm {
    int64_t rows, n;
    int32_t wire, dtype; /* of mm_out; of all other tensors */
    const void *mm_out, *residual, *gamma;
    void *y, *norm_out;
    float epsilon;
    int threads;
};

/* y = mm_out + residual; norm_out = y / rms(y) * gamma. y is rounded to dtype before the statistic is computed. */
void add_norm_run(const struct add_norm *all);

#endif
