/* SPDX-License-Identifier: MIT */
/*
 * test_memory.c - the memory that a rank needs besides the caller's tensors and packed weights, as the kernel counts
 * it. Eight processes run an operator that uses every kind of working memory (borrowed weights, which are packed and
 * expanded piece by piece, under tiles of full size) and a small one. Memory that several ranks map counts once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "group.h"
#include "reference/halffloat.h"
#include "reference/random.h"

enum { RANKS = 8, ROWS = 200, K = 1200, N = 2048, LIMIT_KIB = 4096 /* mmarn.h */ };

struct shared {
    atomic_int arrived[2];
    long before[RANKS], after[RANKS]; /* KiB */
};

struct tensors {
    void *x1, *x2, *scale, *gamma, *residual, *y, *norm_out;
};

/* Proportional: a page that several processes share is divided among them. */
static long proportional_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (file && fgets(line, sizeof line, file) && sscanf(line, "Pss: %ld", &kib) != 1)
        ;
    if (file)
        fclose(file);
    return kib;
}

static void wait_for_all(atomic_int *arrived)
{
    atomic_fetch_add(arrived, 1);
    while (atomic_load(arrived) < RANKS)
        usleep(1000);
}

static void *random_array(int rank, int stream, int32_t dtype, size_t count)
{
    void *array = malloc(count * halffloat_size(dtype));
    random_normal(random_key(test_seed(), (uint64_t)(rank * 8 + stream)), dtype, 1.0F, 0.3F, array, count);
    return array;
}

static void make(struct tensors *t, int rank)
{
    t->x1 = random_array(rank, 0, MMARN_F16, (size_t)ROWS * K);
    t->x2 = random_array(rank, 1, MMARN_F16, (size_t)K * N / 2); /* any bytes are valid int8 */
    t->scale = random_array(rank, 2, MMARN_F16, N);
    t->gamma = random_array(rank, 3, MMARN_F16, N);
    t->residual = random_array(rank, 4, MMARN_F16, (size_t)ROWS * N);
    t->y = memset(malloc((size_t)ROWS * N * 2), 0xA5, (size_t)ROWS * N * 2);
    t->norm_out = memset(malloc((size_t)ROWS * N * 2), 0xA5, (size_t)ROWS * N * 2);
}

static mmarn_tensor matrix(void *data, int32_t dtype, int64_t rows, int64_t columns)
{
    const int64_t shape[2] = {rows, columns};
    return mmarn_tensor_make(data, dtype, 2, shape);
}

static mmarn_status run(mmarn_comm *comm, const struct tensors *t)
{
    const int64_t n = N;
    const mmarn_tensor x2 = matrix(t->x2, MMARN_I8, K, N), scale = mmarn_tensor_make(t->scale, MMARN_F16, 1, &n);
    const mmarn_tensor gamma = mmarn_tensor_make(t->gamma, MMARN_F16, 1, &n);
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    config.x2 = &x2;
    config.gamma = &gamma;
    config.antiquant_scale = &scale;
    config.flags = MMARN_BORROW_X2;
    mmarn_op *op = NULL;
    mmarn_status status = mmarn_op_create(comm, &config, &op);
    for (int64_t rows = 1; status == MMARN_OK && rows <= ROWS; rows += ROWS - 1) {
        const mmarn_tensor x1 = matrix(t->x1, MMARN_F16, rows, K), residual = matrix(t->residual, MMARN_F16, rows, N);
        const mmarn_tensor y = matrix(t->y, MMARN_F16, rows, N), out = matrix(t->norm_out, MMARN_F16, rows, N);
        status = mmarn_op_run(op, STEP(&x1, &residual, &y, &out));
    }
    mmarn_op_destroy(op);
    return status;
}

static bool one_rank(struct group_rank *rank, void *ctx)
{
    struct shared *shared = ctx;
    struct tensors tensors;
    make(&tensors, rank->rank);
    wait_for_all(&shared->arrived[0]);
    shared->before[rank->rank] = proportional_kib();
    mmarn_comm *comm = group_join(rank, 1);
    if (!comm)
        return false;
    EXPECT_STATUS(run(comm, &tensors), MMARN_OK);
    wait_for_all(&shared->arrived[1]);
    shared->after[rank->rank] = proportional_kib();
    /* No rank may leave before all have measured: its shared mappings would count for the others. */
    const int64_t one = 1;
    float all = 1;
    const mmarn_tensor tensor = mmarn_tensor_make(&all, MMARN_F32, 1, &one);
    EXPECT_STATUS(mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &tensor, &tensor), MMARN_OK);
    EXPECT(all == RANKS, "the sum of %d ones is %g", RANKS, (double)all);
    mmarn_comm_destroy(comm);
    return true;
}

static void a_rank_needs_little_memory(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* a sanitizer's own memory would be counted */
#endif
    struct shared *shared = ranks_shared(sizeof *shared);
    long sum = 0;
    assert_true(group_run(GROUP_PROCESSES, RANKS, one_rank, shared));
    for (int rank = 0; rank < RANKS; rank++) {
        assert_true(shared->before[rank] > 0);
        sum += shared->after[rank] - shared->before[rank];
    }
    printf("%d ranks: %ld KiB each beside their tensors\n", RANKS, sum / RANKS);
    /* The memory must exist at all: partials and sums alone are 1.5 MiB. */
    assert_in_range(sum / RANKS, 1024, LIMIT_KIB);
    ranks_shared_free(shared, sizeof *shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_rank_needs_little_memory)};
    test_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
