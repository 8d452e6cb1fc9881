/*
 * data.h - one rank's tensors: random, from the workload's seed and the rank. x1, x2 and bias differ from rank to rank;
 * residual and gamma are the same on all, so that all ranks must get the same y and norm_out.
 */
#ifndef MMARN_CLI_DATA_H
#define MMARN_CLI_DATA_H

#include <stdbool.h>

#include "mmarn/mmarn.h"
#include "workload.h"

struct data {
    void *x1, *x2, *residual, *gamma, *bias, *y, *norm_out; /* bias is NULL when there is none */
    float *partial;                                         /* of data_chunk_rows rows */
};

/* False when memory is short; data_free is needed all the same. y and norm_out are filled with NaN. */
bool data_make(const struct workload *workload, int rank, struct data *data);
void data_free(struct data *data);

/* The weights of one of the rank's operators, over those of another. */
void data_fill_x2(const struct workload *workload, int rank, int which, void *x2);

/* Rows of x1 that the matmul alone is given at a time, so that its fp32 result stays in a cache. */
int64_t data_chunk_rows(const struct workload *workload);

/* Bytes that all ranks together need, the library's packed weights included. */
double data_total_bytes(const struct workload *workload);

#endif
