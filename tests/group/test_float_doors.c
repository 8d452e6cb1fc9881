/* SPDX-License-Identifier: MIT */
/*
 * test_float_doors.c - every public function, called from every floating-point environment, failing and succeeding,
 * leaves the caller's thread with the environment that it had. The library's callbacks run in the caller's environment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "group.h"
#include "mmarn/mmarn_ascend.h"
#include "odd_env.h"
#include "reference/quantised.h"

enum { N = 33, K = 5, ROWS = 3, TIMEOUT_MS = 10000 };

/* The arguments of one rank. The data are exact in every environment; another test checks computed values. */
struct arrays {
    float x1[ROWS * K], x2[K * N], gamma[N], residual[ROWS * N], y[ROWS * N], norm_out[ROWS * N];
    mmarn_tensor x1_t, x2_t, gamma_t, residual_t, y_t, norm_t, wrong_t;
};

static void fill(struct arrays *a)
{
    float *const all[] = {a->x1, a->x2, a->gamma, a->residual, a->y, a->norm_out};
    const int counts[] = {ROWS * K, K * N, N, ROWS * N, ROWS * N, ROWS * N};
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < counts[i]; j++)
            all[i][j] = 0.25F + (float)((i + 3 * j) % 7) * 1e-20F;
    a->x1_t = mmarn_tensor_make(a->x1, MMARN_F32, 2, (int64_t[]){ROWS, K});
    a->x2_t = mmarn_tensor_make(a->x2, MMARN_F32, 2, (int64_t[]){K, N});
    a->gamma_t = mmarn_tensor_make(a->gamma, MMARN_F32, 1, (int64_t[]){N});
    a->residual_t = mmarn_tensor_make(a->residual, MMARN_F32, 2, (int64_t[]){ROWS, N});
    a->y_t = mmarn_tensor_make(a->y, MMARN_F32, 2, (int64_t[]){ROWS, N});
    a->norm_t = mmarn_tensor_make(a->norm_out, MMARN_F32, 2, (int64_t[]){ROWS, N});
    a->wrong_t = mmarn_tensor_make(a->y, MMARN_F32, 2, (int64_t[]){ROWS, N - 1});
}

/* Calls from the environment, then checks it and leaves it before anything else. */
#define FROM(env, call)                                                                                                \
    do {                                                                                                               \
        odd_env_set(env);                                                                                              \
        call;                                                                                                          \
        EXPECT(odd_env_kept(env), "%s: %s has changed it", odd_env_name(env), #call);                                  \
    } while (0)
#define STATUS_FROM(env, call, expected)                                                                               \
    do {                                                                                                               \
        mmarn_status status_got;                                                                                       \
        FROM(env, status_got = (call));                                                                                \
        EXPECT(status_got == (expected), "%s: %s gave %s (%s)", odd_env_name(env), #call,                              \
               mmarn_status_string(status_got), mmarn_last_error());                                                   \
    } while (0)

static bool operator_doors(mmarn_comm *comm, enum odd_env env)
{
    struct arrays a;
    mmarn_op *op = NULL;
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    fill(&a);
    config.x2 = &a.x2_t;
    config.gamma = &a.gamma_t;
    config.epsilon = 1e-60;
    STATUS_FROM(env, mmarn_op_create(comm, NULL, &op), MMARN_ERR_NULL);
    STATUS_FROM(env, mmarn_op_create(comm, &config, &op), MMARN_ERR_ARGUMENT);
    config.epsilon = 1e-6;
    STATUS_FROM(env, mmarn_op_create(comm, &config, &op), MMARN_OK);
    STATUS_FROM(env, mmarn_op_run(op, STEP(&a.x1_t, &a.residual_t, &a.y_t, &a.norm_t)), MMARN_OK);
    STATUS_FROM(env, mmarn_op_run(op, STEP(&a.x1_t, &a.residual_t, &a.wrong_t, &a.norm_t)), MMARN_ERR_ARGUMENT);
    STATUS_FROM(env, mmarn_op_run(NULL, STEP(&a.x1_t, &a.residual_t, &a.y_t, &a.norm_t)), MMARN_ERR_NULL);
    mmarn_step scaled = *STEP(&a.x1_t, &a.residual_t, &a.y_t, &a.norm_t), matmul = *STEP(&a.x1_t, NULL, NULL, NULL);
    scaled.x1_scale = &a.gamma_t;
    STATUS_FROM(env, mmarn_op_run(op, &scaled), MMARN_ERR_UNSUPPORTED);
    matmul.mm_out = &a.y_t;
    STATUS_FROM(env, mmarn_op_matmul(op, &matmul), MMARN_OK);
    matmul.mm_out = &a.wrong_t;
    STATUS_FROM(env, mmarn_op_matmul(op, &matmul), MMARN_ERR_ARGUMENT);
    STATUS_FROM(env, mmarn_mm_all_reduce_add_rms_norm(comm, &config, STEP(&a.x1_t, &a.residual_t, &a.y_t, &a.norm_t)),
                MMARN_OK);
    STATUS_FROM(env, mmarn_mm_all_reduce_add_rms_norm(comm, &config, STEP(NULL, &a.residual_t, &a.y_t, &a.norm_t)),
                MMARN_ERR_NULL);
    FROM(env, mmarn_op_destroy(op));
    return true;
}

static bool parts_doors(struct group_rank *rank, mmarn_comm *comm, enum odd_env env)
{
    struct arrays a;
    fill(&a);
    STATUS_FROM(env, mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &a.residual_t, &a.y_t), MMARN_OK);
    STATUS_FROM(env, mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &a.residual_t, &a.wrong_t), MMARN_ERR_ARGUMENT);
    STATUS_FROM(env,
                mmarn_all_reduce_add_rms_norm(comm, NORM_CONFIG(&a.gamma_t, 1e-6, MMARN_NUMERICS_DEFAULT),
                                              STEP(&a.y_t, &a.residual_t, &a.y_t, &a.norm_t)),
                MMARN_OK);
    STATUS_FROM(env,
                mmarn_all_reduce_add_rms_norm(comm, NORM_CONFIG(&a.gamma_t, 1e300, MMARN_NUMERICS_DEFAULT),
                                              STEP(&a.y_t, &a.residual_t, &a.y_t, &a.norm_t)),
                MMARN_ERR_ARGUMENT);
    STATUS_FROM(env, mmarn_comm_name_next(comm, "refused"), MMARN_OK);
    STATUS_FROM(env, mmarn_comm_refuse(comm, "for no reason"), MMARN_OK); /* on both ranks */
    STATUS_FROM(env, mmarn_comm_refuse(comm, NULL), MMARN_ERR_NULL);
    /* The ranks disagree: the call is refused on both, and the group goes on. */
    STATUS_FROM(env,
                mmarn_all_reduce(comm, rank->rank ? MMARN_NUMERICS_ASCEND : MMARN_NUMERICS_FP32, &a.residual_t, &a.y_t),
                MMARN_ERR_MISMATCH);
    return true;
}

/* Functions without a group; and the values of the one that computes. */
static bool other_doors(enum odd_env env)
{
    const float scales[] = {0.1F, 1e-39F, 3}, offset = 2.5F;
    uint64_t words[3];
    char text[2048];
    mmarn_id id;
    int32_t me, size;
    mmarn_tensor tensor = mmarn_tensor_make(text, MMARN_I8, 2, (int64_t[]){2, 3});
    STATUS_FROM(env, mmarn_trans_quant_param(scales, 3, &offset, 1, 1, words), MMARN_OK);
    for (int i = 0; i < 3; i++)
        EXPECT(words[i] == quantised_word(scales[i], offset, 1), "%s: word %d is %llx", odd_env_name(env), i,
               (unsigned long long)words[i]);
    STATUS_FROM(env, mmarn_trans_quant_param(scales, 3, &offset, 2, 1, words), MMARN_ERR_ARGUMENT);
    STATUS_FROM(env, mmarn_id_create(&id), MMARN_OK);
    STATUS_FROM(env, mmarn_id_create(NULL), MMARN_ERR_NULL);
    STATUS_FROM(env, mmarn_id_from_env(&id, &me, &size), MMARN_ERR_ARGUMENT);
    FROM(env, mmarn_tensor_make(text, MMARN_I8, 2, tensor.shape));
    FROM(env, mmarn_tensor_transpose(&tensor));
    FROM(env, mmarn_describe(text, sizeof text));
    FROM(env, mmarn_version());
    FROM(env, mmarn_last_code());
    FROM(env, mmarn_last_error());
    FROM(env, mmarn_status_string(MMARN_OK));
    FROM(env, mmarn_set_logger(NULL, NULL));
    return true;
}

struct way {
    enum odd_env env;
    int threads;
};

/* One rank is odd. This is its whole life in the group, until the group is aborted. */
static bool live(struct group_rank *rank, void *ctx)
{
    const struct way *way = ctx;
    const enum odd_env env = rank->rank == 1 ? way->env : ODD_NONE;
    const int threads = way->threads;
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    config.transport = ranks_transport();
    mmarn_comm *comm = NULL, *found = NULL;
    int32_t me, size;
    config.rank = rank->rank;
    config.threads = threads;
    config.timeout_ms = TIMEOUT_MS;
    config.name = "doors";
    STATUS_FROM(env, mmarn_comm_create(&rank->id, NULL, &comm), MMARN_ERR_NULL);
    config.world_size = 65;
    STATUS_FROM(env, mmarn_comm_create(&rank->id, &config, &comm), MMARN_ERR_ARGUMENT);
    config.world_size = rank->world_size;
    STATUS_FROM(env, mmarn_comm_create(&rank->id, &config, &comm), MMARN_OK);
    STATUS_FROM(env, mmarn_comm_find("doors", &found), MMARN_OK);
    STATUS_FROM(env, mmarn_comm_find("walls", &found), MMARN_ERR_ARGUMENT);
    STATUS_FROM(env, mmarn_comm_rank(comm, &me, &size), MMARN_OK);
    bool ok = operator_doors(comm, env) && parts_doors(rank, comm, env) && other_doors(env);
    float value = 1;
    mmarn_tensor one = mmarn_tensor_make(&value, MMARN_F32, 1, (int64_t[]){1});
    /* When this call ends on rank 1, rank 0 has finished all others; the abort may still reach it in this one. */
    if (ok)
        FROM(env, mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &one, &one));
    if (ok && rank->rank == 1)
        FROM(env, mmarn_comm_abort(comm));
    if (ok)
        STATUS_FROM(env, mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &one, &one), MMARN_ERR_ABORTED);
    FROM(env, mmarn_comm_destroy(comm));
    return ok;
}

static void every_door(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++)
        for (int env = 0; env < ODD_ENVS; env++)
            assert_true(group_run(GROUP_THREADS, 2, live, &(struct way){(enum odd_env)env, threads}));
}

/* ---------------------------------------------------------------------------------------------- calls back */

struct called {
    enum odd_env env;
    atomic_int times, others; /* others: calls in another environment */
};

/* Leaves another environment behind, which must not affect the library's own work. */
static void look(struct called *called)
{
    atomic_fetch_add(&called->times, 1);
    if (!odd_env_is(called->env))
        atomic_fetch_add(&called->others, 1);
    odd_env_set(ODD_BOTH);
}

static int32_t ask(void *ctx)
{
    look(ctx);
    return 0;
}

static void hear(void *ctx, mmarn_status status, const char *sentence)
{
    (void)status;
    (void)sentence;
    look(ctx);
}

/* Rank 1 comes late, so rank 0 asks its caller, and then sums subnormal numbers. */
static bool wait_long(struct group_rank *rank, void *ctx)
{
    const struct way *way = ctx;
    const enum odd_env env = rank->rank == 0 ? way->env : ODD_NONE;
    struct called called = {.env = env};
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    config.transport = ranks_transport();
    mmarn_comm *comm = NULL;
    config.rank = rank->rank;
    config.world_size = rank->world_size;
    config.threads = way->threads;
    config.timeout_ms = TIMEOUT_MS;
    config.interrupted = ask;
    config.interrupted_ctx = &called;
    if (rank->rank == 1)
        usleep(100000);
    STATUS_FROM(env, mmarn_comm_create(&rank->id, &config, &comm), MMARN_OK);
    const int while_joining = atomic_load(&called.times);
    if (rank->rank == 1)
        usleep(100000);
    uint32_t bits = 5;
    mmarn_tensor one = mmarn_tensor_make(&bits, MMARN_F32, 1, (int64_t[]){1});
    STATUS_FROM(env, mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &one, &one), MMARN_OK);
    FROM(env, mmarn_comm_destroy(comm));
    EXPECT(bits == 10, "%s: the sum's bits are %u", odd_env_name(env), bits);
    EXPECT(rank->rank == 1 || (while_joining > 0 && atomic_load(&called.times) > while_joining),
           "asked %d times while joining, %d in all", while_joining, atomic_load(&called.times));
    EXPECT(atomic_load(&called.others) == 0, "%s: the caller was asked in another environment, %d times of %d",
           odd_env_name(env), atomic_load(&called.others), atomic_load(&called.times));
    return true;
}

static void asked(void **state)
{
    (void)state;
    static const enum odd_env envs[] = {ODD_NONE, ODD_BOTH, ODD_UPWARD, ODD_TRAPS};
    for (int threads = 1; threads <= 2; threads++)
        for (int i = 0; i < 4; i++)
            assert_true(group_run(GROUP_THREADS, 2, wait_long, &(struct way){envs[i], threads}));
}

static void told(void **state)
{
    (void)state;
    for (int env = 0; env < ODD_ENVS; env++) {
        struct called called = {.env = (enum odd_env)env};
        mmarn_comm *found = NULL;
        mmarn_set_logger(hear, &called);
        odd_env_set((enum odd_env)env);
        const mmarn_status status = mmarn_comm_find("nobody", &found);
        const bool kept = odd_env_kept((enum odd_env)env);
        mmarn_set_logger(NULL, NULL);
        assert_int_equal(status, MMARN_ERR_ARGUMENT);
        assert_true(kept);
        assert_int_equal(atomic_load(&called.times), 1);
        assert_int_equal(atomic_load(&called.others), 0);
    }
}

int main(void)
{
    unsetenv("MMARN_ID");
    unsetenv("MMARN_WORLD_SIZE");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_door),
        cmocka_unit_test(asked),
        cmocka_unit_test(told),
    };
    return cmocka_run_group_tests_name("doors and the caller's floating-point environment", tests, NULL, NULL);
}
