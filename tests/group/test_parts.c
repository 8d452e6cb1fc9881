/* SPDX-License-Identifier: MIT */
/*
 * test_parts.c - mmarn_all_reduce over dtypes, modes and sizes, also in place, several groups at once, and empty calls.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "group.h"
#include "reference/exact.h"
#include "reference/halffloat.h"
#include "reference/random.h"

static enum group_mode mode = GROUP_PROCESSES;

static uint64_t key_of(int rank, int64_t count)
{
    return random_key(test_seed(), (uint64_t)(rank * 1000003) + (uint64_t)count);
}

/* The sum of all ranks' arrays, in the dtype. */
static void expected_sum(int32_t dtype, int32_t numerics, int world_size, int64_t count, void *out)
{
    float *parts[MMARN_MAX_RANKS];
    void *in = malloc((size_t)count * 4);
    float *sum = malloc((size_t)count * sizeof(float));
    for (int r = 0; r < world_size; r++) {
        parts[r] = malloc((size_t)count * sizeof(float));
        random_uniform(key_of(r, count), dtype, -1.0F, 1.0F, in, (size_t)count);
        halffloat_to_float(dtype, in, parts[r], (size_t)count);
    }
    exact_reduce(dtype, numerics, world_size, count, (const float *const *)parts, sum);
    for (int64_t i = 0; i < count; i++)
        halffloat_store(dtype, out, (size_t)i, sum[i]);
    for (int r = 0; r < world_size; r++)
        free(parts[r]);
    free(in);
    free(sum);
}

static bool reduce_once(struct group_rank *rank, mmarn_comm *comm, int32_t dtype, int32_t numerics, int64_t count,
                        bool in_place)
{
    size_t bytes = (size_t)count * halffloat_size(dtype);
    char *in = malloc(bytes), *out = malloc(bytes), *expected = malloc(bytes);
    random_uniform(key_of(rank->rank, count), dtype, -1.0F, 1.0F, in, (size_t)count);
    memset(out, 0xA5, bytes);
    expected_sum(dtype, numerics, rank->world_size, count, expected);
    mmarn_tensor in_t = mmarn_tensor_make(in, dtype, 1, &count);
    mmarn_tensor out_t = mmarn_tensor_make(in_place ? in : out, dtype, 1, &count);
    mmarn_status status = mmarn_all_reduce(comm, numerics, &in_t, &out_t);
    bool same = status == MMARN_OK && memcmp(in_place ? in : out, expected, bytes) == 0;
    free(in);
    free(out);
    free(expected);
    EXPECT(status == MMARN_OK, "all_reduce of %lld: %s", (long long)count, mmarn_last_error());
    EXPECT(same, "all_reduce: wrong bits: dtype %d, numerics %d, count %lld%s", dtype, numerics, (long long)count,
           in_place ? ", in place" : "");
    return true;
}

static bool all_reduce_rank(struct group_rank *rank, void *ctx)
{
    static const int64_t counts[] = {1, 15, 1000, 4096, 70000, 150001};
    (void)ctx;
    mmarn_comm *comm = group_join(rank, 1);
    bool ok = comm;
    for (int dtype = MMARN_F16; ok && dtype <= MMARN_F32; dtype++)
        for (int numerics = 0; ok && numerics < 3; numerics++)
            for (size_t i = 0; ok && i < sizeof counts / sizeof *counts; i++)
                ok = reduce_once(rank, comm, dtype, numerics, counts[i], i % 2);
    mmarn_comm_destroy(comm);
    return ok;
}

static void all_reduce(void **state)
{
    (void)state;
    static const int worlds[] = {1, 2, 3, 4, 8};
    for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++)
        assert_true(group_run(mode, worlds[i], all_reduce_rank, NULL));
}

/* Two groups of different sizes over the same ranks, used in turn; the second holds even ranks only. */
struct two_groups {
    mmarn_id second;
};

static bool two_groups_rank(struct group_rank *rank, void *ctx)
{
    const struct two_groups *groups = ctx;
    mmarn_comm *all = group_join(rank, 1);
    if (!all)
        return false;
    struct group_rank half = *rank;
    half.rank = rank->rank / 2;
    half.world_size = (rank->world_size + 1) / 2;
    half.id = groups->second;
    mmarn_comm *even = rank->rank % 2 == 0 ? group_join(&half, 1) : NULL;
    bool ok = rank->rank % 2 != 0 || even;
    for (int i = 0; ok && i < 20; i++) {
        ok = reduce_once(rank, all, MMARN_F16, 0, 3000 + i, false);
        if (ok && even)
            ok = reduce_once(&half, even, MMARN_F32, 0, 500 + i, true);
    }
    mmarn_comm_destroy(even);
    mmarn_comm_destroy(all);
    return ok;
}

static void several_groups(void **state)
{
    (void)state;
    struct two_groups groups;
    assert_int_equal(mmarn_id_create(&groups.second), MMARN_OK);
    assert_true(group_run(mode, 5, two_groups_rank, &groups));
}

/* Calls with empty tensors succeed, write nothing, and do not disturb later calls. */
static bool empty_rank(struct group_rank *rank, void *ctx)
{
    (void)ctx;
    mmarn_comm *comm = group_join(rank, 1);
    if (!comm)
        return false;
    float data[4] = {1, 2, 3, 4};
    mmarn_tensor x2 = mmarn_tensor_make(data, MMARN_F32, 2, (int64_t[]){4, 0});
    mmarn_tensor gamma = mmarn_tensor_make(NULL, MMARN_F32, 1, (int64_t[]){0});
    mmarn_tensor x1 = mmarn_tensor_make(data, MMARN_F32, 2, (int64_t[]){1, 4});
    mmarn_tensor none = mmarn_tensor_make(NULL, MMARN_F32, 3, (int64_t[]){1, 1, 0});
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    config.x2 = &x2;
    config.gamma = &gamma;
    for (int i = 0; i < 3; i++)
        EXPECT_STATUS(mmarn_mm_all_reduce_add_rms_norm(comm, &config, STEP(&x1, &none, &none, &none)), MMARN_OK);
    /* A packed operator whose weights have no columns. */
    mmarn_op *op = NULL;
    EXPECT_STATUS(mmarn_op_create(comm, &config, &op), MMARN_OK);
    EXPECT_STATUS(mmarn_op_run(op, STEP(&x1, &none, &none, &none)), MMARN_OK);
    mmarn_op_destroy(op);
    mmarn_tensor empty = mmarn_tensor_make(NULL, MMARN_F32, 1, (int64_t[]){0});
    EXPECT_STATUS(mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &empty, &empty), MMARN_OK);
    bool ok = reduce_once(rank, comm, MMARN_F32, 0, 100, false);
    mmarn_comm_destroy(comm);
    return ok;
}

static void empty_calls(void **state)
{
    (void)state;
    for (int world_size = 1; world_size <= 3; world_size++)
        assert_true(group_run(mode, world_size, empty_rank, NULL));
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "threads") == 0)
        mode = GROUP_THREADS;
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_reduce),
        cmocka_unit_test(several_groups),
        cmocka_unit_test(empty_calls),
    };
    return cmocka_run_group_tests_name(mode == GROUP_THREADS ? "parts, threads" : "parts, processes", tests, NULL,
                                       NULL);
}
