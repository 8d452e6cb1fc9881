/* SPDX-License-Identifier: MIT */
/*
 * test_coll_reduce.c - compares coll_reduce with a reference that works element by element, for every number of ranks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coll_helper.h"

enum { MOST = 1600, CANARY = 16 };

static void compare(const float *const parts[], int world_size, int64_t count, int32_t dtype, bool in_rank_order)
{
    char out[MOST * 4 + CANARY];
    char expected[sizeof out];
    memset(out, 0xA5, sizeof out);
    memset(expected, 0xA5, sizeof expected);
    coll_reduce(parts, world_size, count, dtype, in_rank_order, out);
    helper_sum(parts, world_size, count, dtype, in_rank_order, expected);
    if (memcmp(out, expected, sizeof out))
        fail_msg("%d ranks, %lld elements of %s, rank order %d", world_size, (long long)count, dtype_name(dtype),
                 in_rank_order);
}

static void all_world_sizes(void **state)
{
    (void)state;
    static const int64_t counts[] = {0, 1, 3, 511, 512, 513, 1024, MOST};
    uint64_t random = test_seed();
    float *values = malloc((size_t)MMARN_MAX_RANKS * MOST * sizeof *values);
    const float *parts[MMARN_MAX_RANKS];
    for (int i = 0; i < MMARN_MAX_RANKS * MOST; i++) {
        uint64_t bits = test_random(&random);
        values[i] = (float)(int32_t)(uint32_t)bits * (bits >> 40 & 1 ? 0x1p-31f : bits >> 41 & 1 ? 0x1p-42f : 0x1p-18f);
    }
    for (int rank = 0; rank < MMARN_MAX_RANKS; rank++)
        parts[rank] = values + rank * MOST;
    for (int world_size = 1; world_size <= MMARN_MAX_RANKS; world_size++)
        for (int32_t dtype = MMARN_F16; dtype <= MMARN_F32; dtype++)
            for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
                compare(parts, world_size, counts[i], dtype, false);
                compare(parts, world_size, counts[i], dtype, true);
            }
    free(values);
}

/* The bits must not depend on where a tile is cut. */
static void pieces_give_the_whole(void **state)
{
    (void)state;
    uint64_t random = test_seed() + 1;
    float values[7][MOST], whole[MOST], pieces[MOST];
    const float *parts[7], *moved[7];
    for (int rank = 0; rank < 7; rank++) {
        parts[rank] = values[rank];
        for (int i = 0; i < MOST; i++)
            values[rank][i] = (float)(int32_t)(uint32_t)test_random(&random);
    }
    coll_reduce(parts, 7, MOST, MMARN_F32, false, whole);
    for (int at = 0, size; at < MOST; at += size) {
        size = 1 + (int)(test_random(&random) % 97);
        size = size < MOST - at ? size : MOST - at;
        for (int rank = 0; rank < 7; rank++)
            moved[rank] = values[rank] + at;
        coll_reduce(moved, 7, size, MMARN_F32, false, pieces + at);
    }
    assert_memory_equal(whole, pieces, sizeof whole);
}

static void halves_give_the_whole(void **state)
{
    (void)state;
    uint64_t random = test_seed() + 2;
    float *values = malloc((size_t)MMARN_MAX_RANKS * COLL_CHUNK * sizeof *values);
    const float *parts[MMARN_MAX_RANKS];
    for (int i = 0; i < MMARN_MAX_RANKS * COLL_CHUNK; i++)
        values[i] = (float)(int32_t)(uint32_t)test_random(&random);
    for (int rank = 0; rank < MMARN_MAX_RANKS; rank++)
        parts[rank] = values + rank * COLL_CHUNK;
    for (int world_size = 1; world_size <= MMARN_MAX_RANKS; world_size++) {
        struct coll_subtrees halves;
        float expected[COLL_CHUNK], sum[COLL_CHUNK];
        const size_t count = 1 + test_random(&random) % COLL_CHUNK;
        memset(&halves, 0xA5, sizeof halves);
        coll_reduce_subtrees(parts, world_size, count, &halves);
        assert_int_equal(halves.right == NULL, world_size == 1);
        for (size_t i = 0; i < count; i++)
            sum[i] = halves.right ? halves.left[i] + halves.right[i] : halves.left[i];
        helper_sum(parts, world_size, (int64_t)count, MMARN_F32, false, expected);
        assert_memory_equal(sum, expected, count * sizeof sum[0]);
    }
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_world_sizes), cmocka_unit_test(pieces_give_the_whole),
                                       cmocka_unit_test(halves_give_the_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
