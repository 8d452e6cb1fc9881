/* SPDX-License-Identifier: MIT */
/*
 * test_disagree.c - ranks that ask for different things all get the error, which names the call, the field and both
 * values. No output changes, and the group goes on working. If a rank's arguments are refused, its peers' calls fail
 * too. Calls have a number, and a name if they are given one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "group.h"
#include "mmarn/mmarn_ascend.h"

enum { ROWS = 4, K = 8, N = 32, BIG_N = 64 };

enum change {
    N_DIFFERS,
    ROWS_DIFFER,
    DTYPE_DIFFERS,
    NUMERICS_DIFFER,
    EPSILON_DIFFERS,
    CALL_DIFFERS,
    FLAGS_DIFFER,
    ORDER_DIFFERS,
    SHARDING_DIFFERS,
    NORM_DIFFERS,
    SCATTERS,
    GATHERS,
    REFUSED,
    EMPTY,
    CHANGES
};

static enum group_mode mode = GROUP_PROCESSES;

static const char *const expected_text[CHANGES] = {
    [N_DIFFERS] = "n is",
    [ROWS_DIFFER] = "rows",
    [DTYPE_DIFFERS] = "dtype is",
    [NUMERICS_DIFFER] = "numerics is",
    [EPSILON_DIFFERS] = "epsilon is",
    [CALL_DIFFERS] = "the call is",
    [FLAGS_DIFFER] = "flags is",
    [ORDER_DIFFERS] = "MMARN_NORM_FIRST",
    [SHARDING_DIFFERS] = "MMARN_SHARD_ROWS",
    [NORM_DIFFERS] = "mm_all_reduce",
    [SCATTERS] = "reduce_scatter",
    [GATHERS] = "all_gather",
    [REFUSED] = "refused",
    [EMPTY] = "empty",
};

/*
 * Calls that differ from the peers' calls. y holds one rank's rows of an array in which every rank has the same number.
 */
static mmarn_status other_call(mmarn_comm *comm, enum change change, const mmarn_tensor *x1, const mmarn_tensor *x2,
                               const mmarn_tensor *y)
{
    static float whole[MMARN_MAX_RANKS * ROWS * N];
    int32_t rank, world_size;
    mmarn_comm_rank(comm, &rank, &world_size);
    const mmarn_tensor all = mmarn_tensor_make(whole, MMARN_F32, 2, (int64_t[]){world_size * ROWS, N});
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    config.x2 = x2;
    if (change == SCATTERS)
        return mmarn_reduce_scatter(comm, MMARN_NUMERICS_DEFAULT, &all, y);
    if (change == GATHERS)
        return mmarn_all_gather(comm, y, &all);
    mmarn_step step = *STEP(x1, NULL, NULL, NULL);
    step.mm_out = y;
    return mmarn_mm_all_reduce(comm, &config, &step);
}

/* One call of the operator on poisoned outputs; odd: this is the rank that differs. */
static mmarn_status call(mmarn_comm *comm, enum change change, bool odd, float *y, float *norm_out)
{
    static float x1[ROWS * K], x2[K * BIG_N], residual[ROWS * BIG_N], gamma[BIG_N]; /* values do not matter here */
    int64_t n = odd && change == N_DIFFERS ? BIG_N : N;
    int64_t rows = odd && change == ROWS_DIFFER ? ROWS - 1 : ROWS;
    if (odd && change == EMPTY)
        rows = 0;
    mmarn_dtype dtype = odd && change == DTYPE_DIFFERS ? MMARN_BF16 : MMARN_F32;
    mmarn_tensor x1_t = mmarn_tensor_make(x1, dtype, 2, (int64_t[]){rows, K});
    mmarn_tensor x2_t = mmarn_tensor_make(x2, dtype, 2, (int64_t[]){K, n});
    mmarn_tensor residual_t = mmarn_tensor_make(residual, dtype, 2, (int64_t[]){rows, n});
    mmarn_tensor gamma_t = mmarn_tensor_make(gamma, dtype, 1, &n);
    mmarn_tensor y_t = mmarn_tensor_make(y, dtype, 2, (int64_t[]){rows, n});
    mmarn_tensor norm_t = mmarn_tensor_make(norm_out, dtype, 2, (int64_t[]){rows, n});
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    config.x2 = &x2_t;
    config.gamma = &gamma_t;
    if (odd && change == NUMERICS_DIFFER)
        config.numerics = MMARN_NUMERICS_FP32;
    if (odd && change == EPSILON_DIFFERS)
        config.epsilon = 2e-6;
    if (odd && change == FLAGS_DIFFER)
        config.flags = MMARN_BIAS_ONCE;
    mmarn_ascend_options ascend = MMARN_ASCEND_OPTIONS_INIT;
    ascend.reduce_op = "max";
    if (odd && change == REFUSED)
        config.ascend = &ascend;
    if (odd && change == CALL_DIFFERS)
        return mmarn_all_reduce_add_rms_norm(comm, NORM_CONFIG(&gamma_t, 1e-6, MMARN_NUMERICS_DEFAULT),
                                             STEP(&residual_t, &residual_t, &y_t, &norm_t));
    if (odd && (change == NORM_DIFFERS || change == SCATTERS || change == GATHERS))
        return other_call(comm, change, &x1_t, &x2_t, &y_t);
    if (odd && change == ORDER_DIFFERS)
        config.flags = MMARN_NORM_FIRST;
    if (odd && change == SHARDING_DIFFERS) {
        int64_t first;
        int32_t rank, world_size;
        config.flags = MMARN_SHARD_ROWS;
        mmarn_comm_rank(comm, &rank, &world_size);
        mmarn_shard(ROWS, rank, world_size, &first, &rows);
        y_t.shape[0] = residual_t.shape[0] = norm_t.shape[0] = rows;
    }
    return mmarn_mm_all_reduce_add_rms_norm(comm, &config, STEP(&x1_t, &residual_t, &y_t, &norm_t));
}

static bool poisoned(const float *values)
{
    for (int i = 0; i < ROWS * BIG_N; i++)
        if (values[i] != -77.0F)
            return false;
    return true;
}

static bool disagree_rank(struct group_rank *rank, void *ctx)
{
    (void)ctx;
    mmarn_comm *comm = group_join(rank, 1);
    if (!comm)
        return false;
    float y[ROWS * BIG_N], norm_out[ROWS * BIG_N];
    for (int change = 0; change < CHANGES; change++) {
        for (int odd = 0; odd < rank->world_size; odd++) {
            for (int i = 0; i < ROWS * BIG_N; i++)
                y[i] = norm_out[i] = -77.0F;
            bool me = rank->rank == odd;
            mmarn_status status = call(comm, (enum change)change, me, y, norm_out);
            if (me && change == EMPTY) {
                EXPECT_STATUS(status, MMARN_OK);
                continue;
            }
            EXPECT_STATUS(status, me && change == REFUSED ? MMARN_ERR_UNSUPPORTED : MMARN_ERR_MISMATCH);
            const char *text = me && change == REFUSED ? "reduce_op is \"max\"" : expected_text[change];
            EXPECT(strstr(mmarn_last_error(), text), "change %d: \"%s\" is not in: %s", change, text,
                   mmarn_last_error());
            EXPECT(poisoned(y) && poisoned(norm_out), "change %d: an output was written", change);
            /* The same call succeeds when all ranks make it. */
            if (change != EMPTY)
                EXPECT_STATUS(call(comm, CHANGES, false, y, norm_out), MMARN_OK);
        }
        /* An empty call while a peer has work may cost the group, so it is the last one, and only one rank makes it. */
        if (change == EMPTY)
            break;
    }
    mmarn_comm_destroy(comm);
    return true;
}

/* ------------------------------------------------------------------------------------------ names and numbers */

enum { COUNT = 8 };

/* An all-reduce of (rank + 1) * value in a group of two. Returns its status; a wrong sum is a failure. */
static mmarn_status sum(mmarn_comm *comm, int rank, float value, bool *right)
{
    float in[COUNT], out[COUNT];
    for (int i = 0; i < COUNT; i++) {
        in[i] = (float)(rank + 1) * (value + (float)i);
        out[i] = -77.0F;
    }
    mmarn_tensor in_t = mmarn_tensor_make(in, MMARN_F32, 1, (int64_t[]){COUNT});
    mmarn_tensor out_t = mmarn_tensor_make(out, MMARN_F32, 1, (int64_t[]){COUNT});
    mmarn_status status = mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &in_t, &out_t);
    for (int i = 0; i < COUNT; i++)
        *right = *right && out[i] == (status == MMARN_OK ? 3.0F * (value + (float)i) : -77.0F);
    return status;
}

/* One named call of each rank; sentence is NULL if they must agree. */
static bool named_call(struct group_rank *rank, mmarn_comm *comm, const char *const names[2], const char *sentence)
{
    bool right = true;
    if (names[rank->rank])
        EXPECT_STATUS(mmarn_comm_name_next(comm, names[rank->rank]), MMARN_OK);
    EXPECT_STATUS(sum(comm, rank->rank, 2, &right), sentence ? MMARN_ERR_MISMATCH : MMARN_OK);
    EXPECT(right, "an output is not what it must be");
    EXPECT(!sentence || !strcmp(mmarn_last_error(), sentence), "\"%s\" instead of \"%s\"", mmarn_last_error(),
           sentence);
    return true;
}

static bool named_rank(struct group_rank *rank, void *ctx)
{
    (void)ctx;
    static const char longest[] = "0123456789012345678901234567890123456789012345678901234567890123"
                                  "012345678901234567890123456789012345678901234567890123456789012";
    char sentence[400];
    mmarn_comm *comm = group_join(rank, 1);
    bool right = true;
    if (!comm)
        return false;
    bool good =
        named_call(rank, comm, (const char *[]){"layer 1", "layer 1"}, NULL) &&
        named_call(rank, comm, (const char *[]){"layer 1", "layer 2"},
                   "call 2: the name is \"layer 1\" on rank 0 but \"layer 2\" on rank 1") &&
        named_call(rank, comm, (const char *[]){NULL, NULL}, NULL) && /* names have been used up */
        named_call(rank, comm, (const char *[]){NULL, "x"}, "call 4: the name is none on rank 0 but \"x\" on rank 1");
    if (!good)
        return false;
    snprintf(sentence, sizeof sentence, "call 5: the name is \"%s\" on rank 0 but \"%.126s\" on rank 1", longest,
             longest);
    char shorter[sizeof longest - 1] = "";
    memcpy(shorter, longest, sizeof shorter - 1);
    if (!named_call(rank, comm, (const char *[]){longest, shorter}, sentence))
        return false;

    /* A refused name leaves the former one as it was; NULL takes it back. */
    EXPECT_STATUS(mmarn_comm_name_next(comm, "kept"), MMARN_OK);
    EXPECT_STATUS(mmarn_comm_name_next(comm, ""), MMARN_ERR_ARGUMENT);
    EXPECT_STATUS(mmarn_comm_name_next(comm, "a\nb"), MMARN_ERR_ARGUMENT);
    EXPECT_STATUS(mmarn_comm_name_next(NULL, "a"), MMARN_ERR_NULL);
    if (!named_call(rank, comm, (const char *[]){NULL, "kept"}, NULL))
        return false;
    EXPECT_STATUS(mmarn_comm_name_next(comm, rank->rank ? "gone" : "other"), MMARN_OK);
    EXPECT_STATUS(mmarn_comm_name_next(comm, NULL), MMARN_OK);
    if (!named_call(rank, comm, (const char *[]){NULL, NULL}, NULL))
        return false;

    /* Refused and empty calls use the name up, and have a number: call 8 is refused, 9 empty, on one rank each. */
    EXPECT_STATUS(mmarn_comm_name_next(comm, "eight"), MMARN_OK);
    mmarn_tensor none = mmarn_tensor_make(NULL, MMARN_F32, 1, (int64_t[]){0});
    if (rank->rank == 1) {
        EXPECT_STATUS(mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, NULL, &none), MMARN_ERR_NULL);
        EXPECT_STATUS(mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &none, &none), MMARN_OK);
    } else {
        EXPECT_STATUS(sum(comm, 0, 1, &right), MMARN_ERR_MISMATCH);
        EXPECT(strstr(mmarn_last_error(), "call 8: rank 1 refused the call: "), "%s", mmarn_last_error());
        EXPECT_STATUS(sum(comm, 0, 1, &right), MMARN_ERR_MISMATCH);
        EXPECT(strstr(mmarn_last_error(), "call 9: rank 1 made an empty call"), "%s", mmarn_last_error());
    }
    EXPECT_STATUS(sum(comm, rank->rank, 5, &right), MMARN_OK);
    EXPECT(right, "an output is not what it must be");
    mmarn_comm_destroy(comm);
    return true;
}

/* A rank whose caller cannot make its call says why. The name that it gave is used up, and the next calls match. */
static bool refusing_rank(struct group_rank *rank, void *ctx)
{
    static const char reason[] = "its weights were eaten by 100 % of the dogs";
    (void)ctx;
    mmarn_comm *comm = group_join(rank, 1);
    if (!comm)
        return false;
    float data = 7 + (float)rank->rank;
    mmarn_tensor t = mmarn_tensor_make(&data, MMARN_F32, 1, (int64_t[]){1});
    if (rank->rank == 1) {
        EXPECT_STATUS(mmarn_comm_name_next(comm, "dinner"), MMARN_OK);
        EXPECT_STATUS(mmarn_comm_refuse(comm, NULL), MMARN_ERR_NULL);
        EXPECT_STATUS(mmarn_comm_refuse(NULL, reason), MMARN_ERR_NULL);
        EXPECT_STATUS(mmarn_comm_refuse(comm, reason), MMARN_OK);
    } else {
        EXPECT_STATUS(mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &t, &t), MMARN_ERR_MISMATCH);
        EXPECT(strstr(mmarn_last_error(), "call 1: rank 1 refused the call: its weights were eaten by 100 % of"), "%s",
               mmarn_last_error());
        EXPECT(data == 7 + (float)rank->rank, "a refused call has written");
    }
    EXPECT_STATUS(mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &t, &t), MMARN_OK);
    EXPECT(data == 7 + 8 + 9, "the sum is %g", (double)data);
    mmarn_comm_destroy(comm);
    return true;
}

static void refused_by_the_caller(void **state)
{
    (void)state;
    assert_true(group_run(mode, 3, refusing_rank, NULL));
}

static void names_and_numbers(void **state)
{
    (void)state;
    assert_true(group_run(mode, 2, named_rank, NULL));
}

/*
 * If all ranks give the same name, the error has it next to the disagreement. The operator's separate steps do not
 * match each other.
 */
static bool kinds_rank(struct group_rank *rank, void *ctx)
{
    (void)ctx;
    mmarn_comm *comm = group_join(rank, 1);
    if (!comm)
        return false;
    float y[ROWS * BIG_N], norm_out[ROWS * BIG_N];
    for (int i = 0; i < ROWS * BIG_N; i++)
        y[i] = norm_out[i] = -77.0F;
    bool right = true;
    EXPECT_STATUS(mmarn_comm_name_next(comm, "mlp"), MMARN_OK);
    EXPECT_STATUS(rank->rank ? sum(comm, 1, 1, &right) : call(comm, CALL_DIFFERS, true, y, norm_out),
                  MMARN_ERR_MISMATCH);
    const char *sentence = "call 1 (\"mlp\"): the call is all_reduce_add_rms_norm on rank 0 but all_reduce on rank 1";
    EXPECT(!strcmp(mmarn_last_error(), sentence), "%s", mmarn_last_error());
    EXPECT(right && poisoned(y) && poisoned(norm_out), "an output was written");
    EXPECT_STATUS(rank->rank ? sum(comm, 1, 1, &right) : call(comm, CHANGES, true, y, norm_out), MMARN_ERR_MISMATCH);
    EXPECT(strstr(mmarn_last_error(), "call 2: the call is the whole operator on rank 0 but all_reduce"), "%s",
           mmarn_last_error());
    EXPECT(right && poisoned(y) && poisoned(norm_out), "an output was written");
    mmarn_comm_destroy(comm);
    return true;
}

static void different_calls(void **state)
{
    (void)state;
    assert_true(group_run(mode, 2, kinds_rank, NULL));
}

static void disagreement(void **state)
{
    (void)state;
    for (int world_size = 2; world_size <= 4; world_size++)
        assert_true(group_run(mode, world_size, disagree_rank, NULL));
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "threads") == 0)
        mode = GROUP_THREADS;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disagreement),
        cmocka_unit_test(names_and_numbers),
        cmocka_unit_test(refused_by_the_caller),
        cmocka_unit_test(different_calls),
    };
    return cmocka_run_group_tests_name("ranks that disagree", tests, NULL, NULL);
}
