/* SPDX-License-Identifier: MIT */
/* reduce.h - sums the ranks' partials. Only this file decides the order of additions. */
#ifndef MMARN_COLL_REDUCE_H
#define MMARN_COLL_REDUCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Sums world_size partials of `count` elements into out, which has the dtype `out_dtype`.
 *   in_rank_order false: fp32, in the binary tree ((0 + 1) + (2 + 3)) + ((4 + 5) + ...), whose left half is the largest
 *   power of two below the number of ranks; rounded to out_dtype once.
 *   in_rank_order true: each partial is rounded to out_dtype first, and so is every addition, from rank 0 upwards.
 */
void coll_reduce(const float *const partials[], int world_size, int64_t count, int32_t out_dtype, bool in_rank_order,
                 void *out);

/*
 * The two subtrees whose sum is the result, for callers that fuse the last addition: left + right is the sum of `count`
 * elements, at most COLL_CHUNK. right is NULL with one rank. They point to partials, or into scratch.
 */
enum { COLL_CHUNK = 512, COLL_LEVELS = 6 /* subtrees of up to 64 ranks that can be open at once */ };
struct coll_subtrees {
    const float *left, *right;
    _Alignas(64) float scratch[2][COLL_LEVELS][COLL_CHUNK];
};
void coll_reduce_subtrees(const float *const partials[], int world_size, size_t count, struct coll_subtrees *subtrees);

#endif
