/* SPDX-License-Identifier: MIT */
/*
 * data.h - one rank's tensors: random, from the workload's seed and the rank. x1, x2 and bias differ between ranks;
 * residual and gamma are the same on all, so that all ranks must get the same y and norm_out.
 */
#ifndef MMARN_MEASURE_DATA_H
#define MMARN_MEASURE_DATA_H

#include <stdbool.h>

#include "mmarn/mmarn.h"
#include "workload.h"

/* Tensors that the workload lacks are NULL. */
struct data {
    int rank;
    void *x1, *x2, *residual, *gamma, *bias, *y, *norm_out;
    float *norm_scale;    /* of an int8 norm_out */
    void *scale, *offset; /* elements are apart by the strides below */
    float *row_scale;     /* --per-token */
    float *partial;       /* of data_chunk_rows rows */
};

/* False when memory is short; data_free must be called in any case. y and norm_out are filled with NaN. */
bool data_make(const struct workload *workload, int rank, struct data *data);
void data_free(struct data *data);

/* Groups of rows of x2 that share a scale, and elements of scale. */
int64_t data_groups(const struct workload *workload);
int64_t data_scales(const struct workload *workload);

/* Bytes of one rank's weights with their scales and offsets, as they are stored. */
double data_weight_bytes(const struct workload *workload);

/*
 * Elements from a group's scale to the next group's, and from a column's to the next column's; 0 if they share one.
 * Scales have the layout of x2: per-group scales of a transposed x2 are an (n, groups) array.
 */
int64_t data_group_stride(const struct workload *workload);
int64_t data_column_stride(const struct workload *workload);

/* Rows of x1 for one call of the matmul alone, so that its fp32 result stays in a cache. */
int64_t data_chunk_rows(const struct workload *workload);

/* Bytes that all ranks together need, including the library's packed weights. */
double data_total_bytes(const struct workload *workload);

#endif
