/* SPDX-License-Identifier: MIT */
/*
 * forms.h - models of what the operator's other forms add to reference/exact.h: x3, 1 + gamma, rstd, outputs without a
 * residual, norm_out in int8, a rank's own rows. Each gives the bits of docs/numerics.md, from its words.
 */
#ifndef MMARN_REFERENCE_FORMS_H
#define MMARN_REFERENCE_FORMS_H

#include <stdint.h>

/* partial += x3, count elements; in MMARN_NUMERICS_ASCEND the partial is first rounded to the output dtype. */
void forms_add_x3(int32_t dtype, int32_t numerics, int64_t count, int32_t x3_dtype, const void *x3, float *partial);

/* mm_out as an array of a dtype. */
void forms_store(int32_t dtype, int64_t count, const float *values, void *out);

/* 1 + gamma in fp32. */
void forms_plus_one(int32_t dtype, int64_t n, const void *gamma, float *out);

/* rstd of each row of what the norm reads. */
void forms_rstd(int32_t dtype, int32_t numerics, int64_t rows, int64_t n, const void *y, double epsilon, float *rstd);

/* Rows in int8 with a scale each. */
void forms_quantise(int32_t dtype, int64_t rows, int64_t n, const void *values, signed char *out, float *scale);

/* A rank's rows: [*first, *first + *count). */
void forms_shard(int64_t rows, int rank, int world_size, int64_t *first, int64_t *count);

#endif
