/* SPDX-License-Identifier: MIT */
/*
 * test_surroundings.c - a process can be a rank although it lacks something or has unusual settings: closed standard
 * streams, a limit on files, signals that are ignored or blocked, little stack. Also: which ranks are told that they
 * are bound.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "group.h"

/*
 * The stack that a thread needs to call the library, as the header states it; and what must not be written to below it.
 */
enum { STACK = 96 << 10, GUARD = 1 << 20 };

/* ------------------------------------------------------------------------------------------------- processes */

static bool sum_one(struct group_rank *rank, mmarn_comm *comm)
{
    const int64_t size = 3;
    float values[3] = {1.5f, -2.0f, (float)rank->rank};
    const mmarn_tensor tensor = mmarn_tensor_make(values, MMARN_F32, 1, &size);
    EXPECT_STATUS(mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &tensor, &tensor), MMARN_OK);
    EXPECT(values[0] == 4.5f && values[1] == -6.0f && values[2] == 3.0f, "the sums are %g, %g, %g", (double)values[0],
           (double)values[1], (double)values[2]);
    return true;
}

/* Some of descriptors 0 to 2 are closed: rank 0 has none of them, rank 1 all but the second, rank 2 only the first. */
static bool without_streams(struct group_rank *rank, void *ctx)
{
    (void)ctx;
    static const bool closed[3][3] = {{true, true, true}, {true, false, true}, {false, true, true}};
    for (int i = 0; i < 3; i++)
        if (closed[rank->rank][i])
            close(i);
    mmarn_comm *comm = group_join(rank, 1);
    if (!comm)
        return false;
    for (int i = 0; i < 3; i++)
        EXPECT(!closed[rank->rank][i] || (fcntl(i, F_GETFD) < 0 && errno == EBADF), "descriptor %d is taken", i);
    if (!sum_one(rank, comm))
        return false;
    /* The group does not depend on what is done with them from now on. */
    for (int i = 0; i < 3; i++)
        if (closed[rank->rank][i])
            EXPECT(open("/dev/null", O_RDWR) == i, "descriptor %d was not free", i);
    for (int i = 0; i < 3; i++)
        close(i);
    const bool ok = sum_one(rank, comm);
    mmarn_comm_destroy(comm);
    return ok;
}

static bool with_signals_off(struct group_rank *rank, void *ctx)
{
    (void)ctx;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (int number = 1; number < 32; number++)
        signal(number, SIG_IGN);
    mmarn_comm *comm = group_join(rank, 2);
    const bool ok = comm && sum_one(rank, comm);
    mmarn_comm_destroy(comm);
    return ok;
}

static bool with_small_files(struct group_rank *rank, void *ctx)
{
    (void)ctx;
    const struct rlimit limit = {64 << 10, 64 << 10};
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    mmarn_comm *comm = NULL;
    setrlimit(RLIMIT_FSIZE, &limit);
    config.rank = rank->rank;
    config.world_size = rank->world_size;
    config.timeout_ms = 10000;
    EXPECT_STATUS(mmarn_comm_create(&rank->id, &config, &comm), MMARN_ERR_MEMORY);
    EXPECT(strstr(mmarn_last_error(), "65536 (RLIMIT_FSIZE"), "%s", mmarn_last_error());
    return true;
}

static void processes(void **state)
{
    (void)state;
    assert_true(group_run(GROUP_PROCESSES, 3, without_streams, NULL));
    assert_true(group_run(GROUP_PROCESSES, 3, with_signals_off, NULL));
    assert_true(group_run(GROUP_PROCESSES, 2, with_small_files, NULL));
}

/* ----------------------------------------------------------------------------------------------------- stack */

enum { ROWS = 29, K = 160, N = 608, TYPES = 5, RANKS = 2 };

static const struct {
    int32_t x, weights;
} types[TYPES] = {{MMARN_F32, MMARN_F32},
                  {MMARN_F16, MMARN_F16},
                  {MMARN_BF16, MMARN_BF16},
                  {MMARN_BF16, MMARN_I8},
                  {MMARN_F16, MMARN_I4}};

/* Random bits cannot be compared as numbers, so the data are halves and quarters, which are exact in every type. */
struct stack_rank {
    struct group_rank rank;
    int threads;
    bool ok;
    uint16_t numbers[2 * K * N]; /* shared by all inputs, none of which is longer */
    uint16_t y[TYPES][2 * ROWS * N], norm_out[TYPES][2 * ROWS * N];
};

static void fill(struct stack_rank *self)
{
    /* Small positive and negative numbers, both as a pair in fp32 and each alone in f16 and bf16; for integers any bits
       do. */
    static const uint16_t words[] = {0x3f00, 0xbe80, 0x3f40, 0xbf20};
    uint64_t random = test_seed() + (unsigned)self->rank.rank;
    for (size_t i = 0; i < sizeof self->numbers / sizeof *self->numbers; i++)
        self->numbers[i] = words[test_random(&random) >> 62];
}

static bool call_everything(struct stack_rank *self, mmarn_comm *comm, int type)
{
    const int64_t in[2] = {ROWS, K}, out[2] = {ROWS, N}, turned[2] = {N, K}, row = N;
    const int32_t dtype = types[type].x;
    const mmarn_tensor x1 = mmarn_tensor_make(self->numbers, dtype, 2, in);
    const mmarn_tensor x2_turned = mmarn_tensor_make(self->numbers, types[type].weights, 2, turned);
    const mmarn_tensor x2 = mmarn_tensor_transpose(&x2_turned);
    const mmarn_tensor vector = mmarn_tensor_make(self->numbers, dtype, 1, &row);
    const mmarn_tensor residual = mmarn_tensor_make(self->numbers, dtype, 2, out);
    const mmarn_tensor y = mmarn_tensor_make(self->y[type], dtype, 2, out);
    const mmarn_tensor norm_out = mmarn_tensor_make(self->norm_out[type], dtype, 2, out);
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    mmarn_op *op = NULL;
    config.x2 = &x2;
    config.gamma = &vector;
    config.antiquant_scale = types[type].weights != dtype ? &vector : NULL;
    EXPECT_STATUS(mmarn_mm_all_reduce_add_rms_norm(comm, &config, STEP(&x1, &residual, &y, &norm_out)), MMARN_OK);
    EXPECT_STATUS(mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &y, &y), MMARN_OK);
    EXPECT_STATUS(mmarn_all_reduce_add_rms_norm(comm, NORM_CONFIG(&vector, 1e-6, MMARN_NUMERICS_FP32),
                                                STEP(&y, &residual, &y, &norm_out)),
                  MMARN_OK);
    EXPECT_STATUS(mmarn_op_create(comm, &config, &op), MMARN_OK);
    EXPECT_STATUS(mmarn_op_run(op, STEP(&x1, &y, &y, &norm_out)), MMARN_OK);
    mmarn_op_destroy(op);
    config.epsilon = -1;
    EXPECT_STATUS(mmarn_op_create(comm, &config, &op), MMARN_ERR_ARGUMENT);
    return true;
}

static void *stack_rank_main(void *arg)
{
    struct stack_rank *self = arg;
    mmarn_comm *comm = group_join(&self->rank, self->threads);
    self->ok = comm != NULL;
    for (int type = 0; type < TYPES && self->ok; type++)
        self->ok = call_everything(self, comm, type);
    mmarn_comm_destroy(comm);
    return NULL;
}

/* Ranks as threads with this stack size; 0: the usual one. */
static struct stack_rank *run_stack_ranks(size_t stack, int threads)
{
    struct stack_rank *ranks = calloc(RANKS, sizeof *ranks);
    pthread_t handles[RANKS];
    char *memory[RANKS];
    mmarn_id id;
    assert_int_equal(mmarn_id_create(&id), MMARN_OK);
    for (int i = 0; i < RANKS; i++) {
        pthread_attr_t attributes;
        ranks[i].rank = (struct group_rank){i, RANKS, id};
        ranks[i].threads = threads;
        fill(&ranks[i]);
        pthread_attr_init(&attributes);
        memory[i] = mmap(NULL, GUARD + stack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(memory[i], MAP_FAILED);
        if (stack > 0) {
            assert_int_equal(mprotect(memory[i] + GUARD, stack, PROT_READ | PROT_WRITE), 0);
            assert_int_equal(pthread_attr_setstack(&attributes, memory[i] + GUARD, stack), 0);
        }
        assert_int_equal(pthread_create(&handles[i], &attributes, stack_rank_main, &ranks[i]), 0);
        pthread_attr_destroy(&attributes);
    }
    for (int i = 0; i < RANKS; i++) {
        pthread_join(handles[i], NULL);
        munmap(memory[i], GUARD + stack);
        assert_true(ranks[i].ok);
    }
    return ranks;
}

static void little_stack(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* instrumented frames are larger */
#endif
    for (int threads = 1; threads <= 2; threads++) {
        struct stack_rank *usual = run_stack_ranks(0, threads), *little = run_stack_ranks(STACK, threads);
        for (int i = 0; i < RANKS; i++) {
            assert_memory_equal(usual[i].y, little[i].y, sizeof usual[i].y);
            assert_memory_equal(usual[i].norm_out, little[i].norm_out, sizeof usual[i].norm_out);
        }
        assert_memory_not_equal(usual[0].y[0], usual[0].norm_out[0], sizeof usual[0].y[0]);
        free(usual);
        free(little);
    }
}

/* ----------------------------------------------------------------------------------------------------- notes */

struct binding {
    int processors[2]; /* the processors that the ranks are bound to */
    int *told;         /* by rank, in shared memory */
    char *said;
};

static int my_rank;

static void hear(void *ctx, mmarn_status status, const char *sentence)
{
    const struct binding *binding = ctx;
    if (status == MMARN_OK) {
        binding->told[my_rank]++;
        snprintf(binding->said, 512, "%s", sentence);
    }
}

static bool join_bound(struct group_rank *rank, void *ctx)
{
    const struct binding *binding = ctx;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)binding->processors[rank->rank], &set);
    EXPECT(sched_setaffinity(0, sizeof set, &set) == 0, "it cannot be bound");
    my_rank = rank->rank;
    mmarn_set_logger(hear, ctx);
    for (int i = 0; i < 2; i++) { /* first an error, which is a failure and not a note */
        mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
        mmarn_comm *comm = NULL;
        config.world_size = 0;
        EXPECT_STATUS(mmarn_comm_create(&rank->id, &config, &comm), MMARN_ERR_ARGUMENT);
    }
    mmarn_comm *comm = group_join(rank, 1);
    if (!comm)
        return false;
    cpu_set_t after;
    sched_getaffinity(0, sizeof after, &after);
    EXPECT(CPU_EQUAL(&set, &after), "joining has changed the affinity");
    EXPECT(strstr(mmarn_last_error(), "world_size is 0"), "a note is no error: %s", mmarn_last_error());
    mmarn_comm_destroy(comm);
    return true;
}

static void bound_ranks(void **state)
{
    (void)state;
    cpu_set_t allowed;
    int first = -1, second = -1;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET((size_t)i, &allowed) && second < 0)
            *(first < 0 ? &first : &second) = i;
    if (second < 0)
        skip();
    char *said = ranks_shared(512);
    int *told = ranks_shared(2 * sizeof *told);
    struct binding apart = {{first, second}, told, said}, together = {{second, second}, told, said};
    assert_true(group_run(GROUP_PROCESSES, 2, join_bound, &apart));
    assert_int_equal(told[0] + told[1], 0);
    assert_true(group_run(GROUP_PROCESSES, 2, join_bound, &together));
    char expected[64];
    snprintf(expected, sizeof expected, "all 2 ranks are bound to processor %d, though there are ", second);
    assert_memory_equal(said, expected, strlen(expected));
    assert_int_equal(told[0], 1);
    assert_int_equal(told[1], 0);
    ranks_shared_free(told, 2 * sizeof *told);
    ranks_shared_free(said, 512);
}

/* Several processors for more ranks may be intended, unless OpenMP's variables caused it. */
static void crowds(void **state)
{
    (void)state;
    char sentence[512] = "";
    const uint64_t none[2] = {0, 0}, one[2] = {0, 4}, two[2] = {1, 1};
    assert_false(cpu_crowded(4, none, 2, true, sentence, sizeof sentence));
    assert_false(cpu_crowded(1, one, 2, true, sentence, sizeof sentence));
    assert_false(cpu_crowded(2, two, 2, true, sentence, sizeof sentence));
    assert_false(cpu_crowded(3, two, 2, false, sentence, sizeof sentence));
    assert_string_equal(sentence, "");
    if (cpu_allowed() > 2) {
        assert_true(cpu_crowded(3, two, 2, true, sentence, sizeof sentence));
        assert_non_null(strstr(sentence, "all 3 ranks are bound to the same 2 processors, though there are "));
    }
    if (cpu_allowed() > 1) {
        assert_true(cpu_crowded(2, one, 2, false, sentence, sizeof sentence));
        assert_non_null(strstr(sentence, "all 2 ranks are bound to processor 66, though there are "));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes),
        cmocka_unit_test(little_stack),
        cmocka_unit_test(bound_ranks),
        cmocka_unit_test(crowds),
    };
    return cmocka_run_group_tests_name("surroundings", tests, NULL, NULL);
}
