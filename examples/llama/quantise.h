/* SPDX-License-Identifier: MIT */
/*
 * quantise.h - float weights as int8 or int4 times a scale in f16, symmetric around zero: what the library's
 * antiquant_scale undoes. Rows of a channel that share a scale form a group.
 */
#ifndef LLAMA_QUANTISE_H
#define LLAMA_QUANTISE_H

#include <stdint.h>

struct quantise {
    int64_t k, n;
    int64_t group; /* rows that share a scale: k for one scale per channel */
    int most;      /* 127 for int8, 7 for int4; the lowest value of the type is not used */
};

/*
 * rows is (n, k). values receives (k, n), int8: one in each byte; int4: the even column in the lower half of a byte, n
 * being even. scales receives (ceil(k / group), n), f16: the largest magnitude of the group / most, rounded up, so that
 * no value is beyond most and an error is never more than half a scale.
 */
void quantise_weights(const struct quantise *how, const float *rows, int8_t *values, uint16_t *scales);

/*
 * Rows of a matrix in int8: each value to the nearest multiple of its row's scale, the largest magnitude of the row /
 * 127: what the library's x1_scale undoes. A row of zeros has the scale 0.
 */
void quantise_rows(const float *matrix, int64_t rows, int64_t columns, int8_t *values, float *scales);

#endif
