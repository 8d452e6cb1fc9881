/* SPDX-License-Identifier: MIT */
/*
 * quantised.h - the reference's own quantisation: int8 and int4 storage, partials over quantised weights, exact int8
 * products and what makes them fp32, and the 64-bit words of scales. Follows docs/numerics.md and the public header;
 * shares no code with src/.
 */
#ifndef MMARN_REFERENCE_QUANTISED_H
#define MMARN_REFERENCE_QUANTISED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mmarn/mmarn.h"

/* Elements of MMARN_I8 or MMARN_I4 arrays. Two int4 share a byte, the lower index in the lower four bits. */
size_t quantised_bytes(int32_t dtype, size_t count);
int quantised_load(int32_t dtype, const void *array, size_t index);
void quantised_store(int32_t dtype, void *array, size_t index, int value);

/* One float for every group and column of weights; a stride is 0 where a value is shared. */
struct quantised_values {
    const void *data; /* of the weights' float type; NULL: none */
    int64_t group_stride, column_stride;
};

struct quantised_weights {
    int32_t dtype;    /* what they are expanded to: MMARN_F16, MMARN_BF16 or MMARN_F32 */
    int32_t x2_dtype; /* MMARN_I8 or MMARN_I4 */
    int64_t k, n;
    const void *x2;     /* (k, n), or (n, k) when trans_x2; compact */
    bool trans_x2;      /* also of int4: the contiguous axis is the one whose neighbours share a byte */
    int64_t group_size; /* rows of x2 that share a value; 0: all */
    struct quantised_values scale, offset;
};

/* The integer of row p and column j; and the scale or offset for it, 0 when there are none. */
int quantised_integer(const struct quantised_weights *weights, int64_t p, int64_t j);
float quantised_value(const struct quantised_weights *weights, const struct quantised_values *values, int64_t p,
                      int64_t j);

/* Rows from row p on to the end of its run: of its group, or the next multiple of 512. p begins a run. */
int64_t quantised_run(const struct quantised_weights *weights, int64_t p);

/*
 * One rank's partial, fp32, (rows, n), as the numerics mode makes it: x1 is (rows, k), bias is (n) or NULL, both of
 * weights->dtype. False when memory is short.
 */
bool quantised_partial(const struct quantised_weights *weights, int32_t numerics, int64_t rows, const void *x1,
                       const void *bias, float *partial);

/* (q + offset) * scale of one element, rounded as in numerics ASCEND; a value of weights->dtype. */
float quantised_expanded_weight(const struct quantised_weights *weights, int64_t p, int64_t j);

/* All of them, as a compact (k, n) array of weights->dtype: the x2 that exact_partial takes. */
void quantised_expand(const struct quantised_weights *weights, void *expanded);

/* x1 @ x2 + bias over int8, modulo 2^32: x1 is (rows, k), x2 is (k, n), or (n, k) when trans_x2; bias is (n) or NULL.
 */
void quantised_sums(int64_t rows, int64_t k, int64_t n, const int8_t *x1, const int8_t *x2, bool trans_x2,
                    const int32_t *bias, int32_t *sums);

/* n fp32 values of a dequant_scale of 1 or n elements: words (MMARN_I64, MMARN_U64), MMARN_BF16 or MMARN_F32. */
void quantised_scales(int32_t dtype, const void *dequant_scale, int64_t count, int64_t n, float *scales);

/* sums times scales (n) times, unless it is NULL, row_scale (rows); fp32, each operation rounded. */
void quantised_dequantise(int64_t rows, int64_t n, const int32_t *sums, const float *scales, const float *row_scale,
                          float *partial);

/* A word from a scale and an offset (0 when there is none), as mmarn_trans_quant_param makes it. */
uint64_t quantised_word(float scale, float offset, int32_t round_mode);

/* The scale in a word. */
float quantised_word_scale(uint64_t word);

#endif
