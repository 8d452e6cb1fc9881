/* SPDX-License-Identifier: MIT */
/*
 * test_forms.c - the operator's other forms compared with their model, bit by bit: random combinations of calls,
 * options, outputs and shapes, on groups of every small size and with several threads; reduce-scatter and all-gather;
 * and a fused call gives the bits of its separate steps, also in the quantised scenarios.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "form_case.h"
#include "reference/exact.h"
#include "reference/forms.h"
#include "reference/halffloat.h"
#include "reference/random.h"

enum { CASES = 150, MOST_RANKS = 5 };

static enum group_mode mode;

struct batch {
    struct form_data cases[CASES];
    int threads;
};

static bool batch_rank(struct group_rank *rank, void *ctx)
{
    const struct batch *batch = ctx;
    mmarn_comm *comm = group_join(rank, batch->threads);
    bool ok = comm;
    for (int i = 0; ok && i < CASES; i++)
        ok = form_case_run(rank, comm, &batch->cases[i]);
    mmarn_comm_destroy(comm);
    return ok;
}

static void random_forms(void **state)
{
    (void)state;
    struct batch *batch = malloc(sizeof *batch);
    for (int world_size = 1; world_size <= MOST_RANKS; world_size++) {
        for (int i = 0; i < CASES; i++) {
            const uint64_t key = random_key(test_seed(), (uint64_t)(world_size * 1000 + i));
            const struct form_case shape = form_case_random(key);
            form_data_make(&batch->cases[i], &shape, world_size, key);
        }
        for (batch->threads = 1; batch->threads <= 3; batch->threads += 2)
            assert_true(group_run(mode, world_size, batch_rank, batch));
        for (int i = 0; i < CASES; i++)
            form_data_free(&batch->cases[i]);
    }
    free(batch);
}

/* ------------------------------------------------------------------------------- reduce-scatter and all-gather */

struct shard_case {
    int32_t dtype, numerics;
    int64_t rows, n;
    int threads;
};

static bool same_bytes(const char *what, const void *got, const void *expected, size_t bytes)
{
    const unsigned char *a = got, *b = expected;
    for (size_t i = 0; i < bytes; i++)
        EXPECT(a[i] == b[i], "byte %zu of %s is %02x instead of %02x", i, what, a[i], b[i]);
    return true;
}

/* Every rank can make all ranks' arrays, so each knows the expected result. */
static bool scatter_then_gather(struct group_rank *rank, mmarn_comm *comm, const struct shard_case *c)
{
    const int64_t count = c->rows * c->n;
    const size_t size = halffloat_size(c->dtype);
    float *wide[MOST_RANKS], *mm = malloc((size_t)count * sizeof *mm);
    char *own = malloc((size_t)count * size), *expected = malloc((size_t)count * size);
    char *part = malloc((size_t)count * size + 1), *whole = malloc((size_t)count * size);
    for (int r = rank->world_size - 1; r >= 0; r--) {
        const int from = r == 0            ? rank->rank
                         : r == rank->rank ? 0
                                           : r; /* its own array last, so that `own` holds it at the end */
        random_normal(random_key(test_seed(), (uint64_t)(count + from)), c->dtype, 0, 1, own, (size_t)count);
        wide[from] = malloc((size_t)count * sizeof(float));
        for (int64_t i = 0; i < count; i++)
            wide[from][i] = halffloat_load(c->dtype, own, (size_t)i);
    }
    exact_reduce(c->dtype, c->numerics, rank->world_size, count, (const float *const *)wide, mm);
    forms_store(c->dtype, count, mm, expected);
    int64_t first, rows;
    forms_shard(c->rows, rank->rank, rank->world_size, &first, &rows);
    memset(part, 0xA5, (size_t)count * size);
    memset(whole, 0xA5, (size_t)count * size);
    const int axes = c->n == 1 ? 1 : 2; /* a vector is treated as rows of one element */
    const mmarn_tensor in = mmarn_tensor_make(own, c->dtype, axes, (int64_t[]){c->rows, c->n});
    const mmarn_tensor shard = mmarn_tensor_make(part, c->dtype, axes, (int64_t[]){rows, c->n});
    const mmarn_tensor out = mmarn_tensor_make(whole, c->dtype, axes, (int64_t[]){c->rows, c->n});
    EXPECT_STATUS(mmarn_reduce_scatter(comm, c->numerics, &in, &shard), MMARN_OK);
    bool ok = same_bytes("the shard", part, expected + (size_t)(first * c->n) * size, (size_t)(rows * c->n) * size);
    const size_t shard_bytes = (size_t)(rows * c->n) * size;
    ok = ok && same_bytes("what lies behind the shard", part + shard_bytes, whole, (size_t)count * size - shard_bytes);
    EXPECT_STATUS(mmarn_all_gather(comm, &shard, &out), MMARN_OK);
    ok = ok && same_bytes("the gathered array", whole, expected, (size_t)count * size);
    /* In place: the shard is stored where its rows are. */
    memset(whole, 0xA5, (size_t)count * size);
    memcpy(whole + (size_t)(first * c->n) * size, part, (size_t)(rows * c->n) * size);
    const mmarn_tensor inside =
        mmarn_tensor_make(whole + (size_t)(first * c->n) * size, c->dtype, axes, (int64_t[]){rows, c->n});
    EXPECT_STATUS(mmarn_all_gather(comm, &inside, &out), MMARN_OK);
    ok = ok && same_bytes("what was gathered in place", whole, expected, (size_t)count * size);
    for (int r = 0; r < rank->world_size; r++)
        free(wide[r]);
    free(mm);
    free(own);
    free(expected);
    free(part);
    free(whole);
    return ok;
}

static bool gather_vectors(struct group_rank *rank, mmarn_comm *comm, int64_t rows)
{
    int64_t first, count;
    signed char *bytes = malloc((size_t)rows), *all_bytes = malloc((size_t)rows);
    int32_t *words = malloc((size_t)rows * 4), *all_words = malloc((size_t)rows * 4);
    EXPECT_STATUS(mmarn_shard(rows, rank->rank, rank->world_size, &first, &count), MMARN_OK);
    for (int64_t i = 0; i < count; i++) {
        bytes[i] = (signed char)((first + i) * 37);
        words[i] = (int32_t)((first + i) * 1000003 - 7);
    }
    const mmarn_tensor in[] = {mmarn_tensor_make(bytes, MMARN_I8, 1, &count),
                               mmarn_tensor_make(words, MMARN_I32, 1, &count)};
    const mmarn_tensor out[] = {mmarn_tensor_make(all_bytes, MMARN_I8, 1, &rows),
                                mmarn_tensor_make(all_words, MMARN_I32, 1, &rows)};
    for (int i = 0; i < 2; i++)
        EXPECT_STATUS(mmarn_all_gather(comm, &in[i], &out[i]), MMARN_OK);
    for (int64_t i = 0; i < rows; i++) {
        EXPECT(all_bytes[i] == (signed char)(i * 37), "byte %lld is %d", (long long)i, all_bytes[i]);
        EXPECT(all_words[i] == (int32_t)(i * 1000003 - 7), "word %lld is %d", (long long)i, all_words[i]);
    }
    free(bytes);
    free(all_bytes);
    free(words);
    free(all_words);
    return true;
}

static bool shards_rank(struct group_rank *rank, void *ctx)
{
    static const int64_t rows[] = {1, 2, 7, 40, 133}, columns[] = {1, 5, 64, 300};
    const int *threads = ctx;
    mmarn_comm *comm = group_join(rank, *threads);
    bool ok = comm;
    for (int i = 0; ok && i < 60; i++) {
        const struct shard_case c = {MMARN_F16 + i % 3, i / 3 % 3, rows[i % 5], columns[i % 4], *threads};
        ok = scatter_then_gather(rank, comm, &c);
    }
    for (int i = 0; ok && i < 5; i++)
        ok = gather_vectors(rank, comm, rows[i] * 50 - 30);
    mmarn_comm_destroy(comm);
    return ok;
}

static void shards(void **state)
{
    (void)state;
    for (int world_size = 1; world_size <= MOST_RANKS; world_size++)
        for (int threads = 1; threads <= 3; threads += 2)
            assert_true(group_run(mode, world_size, shards_rank, &threads));
}

/*
 * mmarn_shard does what its documentation says: every row has one owner, in order, and no rank has two more rows than
 * another.
 */
static void shard_of_rows(void **state)
{
    (void)state;
    for (int world_size = 1; world_size <= MMARN_MAX_RANKS; world_size++)
        for (int64_t rows = 0; rows < 200; rows++) {
            int64_t end = 0;
            for (int rank = 0; rank < world_size; rank++) {
                int64_t first = -1, count = -1, model_first = -1, model_count = -1;
                assert_int_equal(mmarn_shard(rows, rank, world_size, &first, &count), MMARN_OK);
                forms_shard(rows, rank, world_size, &model_first, &model_count);
                assert_int_equal(first, model_first);
                assert_int_equal(count, model_count);
                assert_int_equal(first, end);
                end = first + count;
            }
            assert_int_equal(end, rows);
        }
    int64_t first = 77, count = 77;
    assert_int_equal(mmarn_shard(-1, 0, 1, &first, &count), MMARN_ERR_ARGUMENT);
    assert_int_equal(mmarn_shard(1, 1, 1, &first, &count), MMARN_ERR_ARGUMENT);
    assert_int_equal(mmarn_shard(1, -1, 1, &first, &count), MMARN_ERR_ARGUMENT);
    assert_int_equal(mmarn_shard(1, 0, 0, &first, &count), MMARN_ERR_ARGUMENT);
    assert_int_equal(mmarn_shard(1, 0, 65, &first, &count), MMARN_ERR_ARGUMENT);
    assert_int_equal(first + count, 154);
}

int main(int argc, char **argv)
{
    (void)argv;
    mode = argc > 1 ? GROUP_THREADS : GROUP_PROCESSES;
    test_seed(); /* the same for all ranks */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_forms),
        cmocka_unit_test(shards),
        cmocka_unit_test(shard_of_rows),
    };
    return cmocka_run_group_tests_name(mode == GROUP_THREADS ? "forms, ranks as threads" : "forms, ranks as processes",
                                       tests, NULL, NULL);
}
