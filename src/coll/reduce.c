/* SPDX-License-Identifier: MIT */
/*
 * reduce.c - sums the ranks' partials in an order that depends on rank numbers alone. It works in chunks, so that
 * intermediate sums stay in the first-level cache. The sum of an element never depends on its neighbours, so the bits
 * do not depend on where chunks end.
 */
#include "coll/reduce.h"

#include <assert.h>

#include "base/convert.h"
#include "base/float_env.h"

static void add(const float *restrict left, const float *restrict right, float *restrict sum, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum[i] = left[i] + right[i];
}

static void add_to(float *restrict left, const float *restrict right, size_t count)
{
    for (size_t i = 0; i < count; i++)
        left[i] = left[i] + right[i];
}

/*
 * Sums one chunk in the binary tree, like a binary counter: two finished subtrees of the same size are joined at once
 * into one of twice the size. Subtrees left over at the end are joined from the right. open holds the subtrees.
 */
static const float *tree(const float *const partials[], int world_size, size_t at, size_t count,
                         float open[][COLL_CHUNK])
{
    if (world_size == 1)
        return partials[0] + at;
    int depth = 0;
    int rank = 0;
    for (; rank + 1 < world_size; rank += 2) {
        add(partials[rank] + at, partials[rank + 1] + at, open[depth++], count);
        /* After pair number p, the number of complete subtrees to join is the number of one bits at the end of p. */
        for (int pair = rank / 2; pair & 1; pair >>= 1, depth--)
            add_to(open[depth - 2], open[depth - 1], count);
    }
    if (rank < world_size)
        add_to(open[depth - 1], partials[rank] + at, count);
    for (; depth > 1; depth--)
        add_to(open[depth - 2], open[depth - 1], count);
    return open[0];
}

/* Sums one chunk from rank 0 upwards and rounds to dtype at each step. Values are rounded in out. */
static void rank_order(const float *const partials[], int world_size, size_t at, size_t count, int32_t dtype,
                       float *sum, float *partial, void *out)
{
    convert_from_f32(dtype, partials[0] + at, out, count);
    for (int rank = 1; rank < world_size; rank++) {
        convert_to_f32(dtype, out, sum, count);
        convert_from_f32(dtype, partials[rank] + at, out, count);
        convert_to_f32(dtype, out, partial, count);
        add_to(sum, partial, count);
        convert_from_f32(dtype, sum, out, count);
    }
}

/* Ranks in the left half of the tree: the largest power of two below world_size. */
static int left_ranks(int world_size)
{
    int half = 1;
    while (2 * half < world_size)
        half *= 2;
    return half;
}

static void split(const float *const partials[], int world_size, size_t at, size_t count,
                  struct coll_subtrees *subtrees)
{
    const int half = left_ranks(world_size);
    subtrees->left = tree(partials, half, at, count, subtrees->scratch[0]);
    subtrees->right = world_size > 1 ? tree(partials + half, world_size - half, at, count, subtrees->scratch[1]) : NULL;
}

void coll_reduce_subtrees(const float *const partials[], int world_size, size_t count, struct coll_subtrees *subtrees)
{
    assert(world_size > 0 && world_size <= MMARN_MAX_RANKS && count <= COLL_CHUNK);
    split(partials, world_size, 0, count, subtrees);
}

/* Rounds the last addition of the tree to dtype; fp32 is written straight to the output. */
static void join(const struct coll_subtrees *subtrees, size_t count, int32_t dtype, float *sum, void *out)
{
    if (!subtrees->right) {
        convert_from_f32(dtype, subtrees->left, out, count);
    } else if (dtype == MMARN_F32) {
        add(subtrees->left, subtrees->right, out, count);
    } else {
        add(subtrees->left, subtrees->right, sum, count);
        convert_from_f32(dtype, sum, out, count);
    }
}

void coll_reduce(const float *const partials[], int world_size, int64_t count, int32_t out_dtype, bool in_rank_order,
                 void *out)
{
    struct coll_subtrees subtrees;
    _Alignas(64) float sum[COLL_CHUNK], partial[COLL_CHUNK];
    size_t total = (size_t)count;
    assert(world_size > 0 && world_size <= MMARN_MAX_RANKS && count >= 0 && float_env_holds());
    for (size_t at = 0; at < total; at += COLL_CHUNK) {
        size_t chunk = total - at < COLL_CHUNK ? total - at : COLL_CHUNK;
        void *rounded = (char *)out + at * dtype_size(out_dtype);
        if (in_rank_order) {
            rank_order(partials, world_size, at, chunk, out_dtype, sum, partial, rounded);
        } else {
            split(partials, world_size, at, chunk, &subtrees);
            join(&subtrees, chunk, out_dtype, sum, rounded);
        }
    }
}
