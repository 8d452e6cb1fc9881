/*
 * test_disagree.c - ranks that ask for different things all get the error, which names the field and both values; no
 * output changes, and the group goes on working. A rank whose arguments are refused takes its peers' calls with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "group.h"

enum { ROWS = 4, K = 8, N = 32, BIG_N = 64 };

enum change {
    N_DIFFERS,
    ROWS_DIFFER,
    DTYPE_DIFFERS,
    NUMERICS_DIFFER,
    EPSILON_DIFFERS,
    CALL_DIFFERS,
    FLAGS_DIFFER,
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
    [REFUSED] = "refused",
    [EMPTY] = "empty",
};

/* One call of the operator on poisoned outputs; odd is the rank that differs. */
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
    if (odd && change == REFUSED)
        config.reduce_op = "max";
    if (odd && change == CALL_DIFFERS)
        return mmarn_all_reduce_add_rms_norm(comm, MMARN_NUMERICS_DEFAULT, 1e-6, &residual_t, &residual_t, &gamma_t,
                                             &y_t, &norm_t);
    return mmarn_mm_all_reduce_add_rms_norm(comm, &config, &x1_t, &residual_t, &y_t, &norm_t);
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
                EXPECT_STATUS(rank, status, MMARN_OK);
                continue;
            }
            EXPECT_STATUS(rank, status, me && change == REFUSED ? MMARN_ERR_UNSUPPORTED : MMARN_ERR_MISMATCH);
            const char *text = me && change == REFUSED ? "reduce_op is \"max\"" : expected_text[change];
            EXPECT(rank, strstr(mmarn_last_error(), text), "change %d: \"%s\" is not in: %s", change, text,
                   mmarn_last_error());
            EXPECT(rank, poisoned(y) && poisoned(norm_out), "change %d: an output was written", change);
            /* The same call made alike by all ranks goes through. */
            if (change != EMPTY)
                EXPECT_STATUS(rank, call(comm, CHANGES, false, y, norm_out), MMARN_OK);
        }
        /* An empty call beside one with work may cost the group, so it is the last, and made by one rank only. */
        if (change == EMPTY)
            break;
    }
    mmarn_comm_destroy(comm);
    return true;
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(disagreement)};
    return cmocka_run_group_tests_name("ranks that disagree", tests, NULL, NULL);
}
