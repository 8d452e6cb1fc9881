/* SPDX-License-Identifier: MIT */
/*
 * test_form_parts.c - a fused call gives the bits of its separate steps in every scenario: the matmul with its
 * all-reduce, then the norm alone. An int8 norm_out is a valid input of the next layer's int8 matmul.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "group.h"
#include "reference/halffloat.h"
#include "reference/random.h"

enum { ROWS = 9, K = 96, N = 160, POISON = 0xA5 };
static enum group_mode mode;

static const struct scenario {
    const char *name;
    int32_t x1, x2, scale, out;
    bool per_token;
} scenarios[] = {
    {"f16", MMARN_F16, MMARN_F16, 0, MMARN_F16, false},
    {"bf16", MMARN_BF16, MMARN_BF16, 0, MMARN_BF16, false},
    {"i8 x i8, f32 scale, f16", MMARN_I8, MMARN_I8, MMARN_F32, MMARN_F16, true},
    {"i8 x i8, f32 scale, f32", MMARN_I8, MMARN_I8, MMARN_F32, MMARN_F32, true},
    {"i8 x i8, bf16 scale", MMARN_I8, MMARN_I8, MMARN_BF16, MMARN_BF16, false},
    {"f16 x i8", MMARN_F16, MMARN_I8, MMARN_F16, MMARN_F16, false},
    {"bf16 x i4", MMARN_BF16, MMARN_I4, MMARN_BF16, MMARN_BF16, false},
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

/* Arrays of the widest type; narrower types use their beginning. */
struct arrays {
    float x1[ROWS * K], x2[K * N], scale[N], row_scale[ROWS], x3[ROWS * N], residual[ROWS * N], gamma[N];
    float mm[2][ROWS * N], y[2][ROWS * N], norm[2][ROWS * N], rstd[2][ROWS];
    mmarn_tensor x1_t, x2_t, scale_t, row_scale_t, x3_t, residual_t, gamma_t;
};

static void fill(int32_t dtype, int stream, void *data, int count)
{
    if (dtype == MMARN_I8 || dtype == MMARN_I4) {
        for (int i = 0; i < count; i++)
            ((unsigned char *)data)[i] = (unsigned char)(random_key(test_seed(), (uint64_t)(stream * 100000 + i)) >> 7);
        return;
    }
    random_normal(random_key(test_seed(), (uint64_t)stream), dtype, 0, 1, data, (size_t)count);
}

static mmarn_tensor rows_of(void *data, int32_t dtype)
{
    return mmarn_tensor_make(data, dtype, 2, (int64_t[]){ROWS, N});
}

static void make(struct arrays *a, const struct scenario *s, int rank)
{
    const int64_t n = N, rows = ROWS;
    const int stream = rank * 10;
    memset(a, POISON, sizeof *a);
    fill(s->x1, stream, a->x1, ROWS * K);
    fill(s->x2, stream + 1, a->x2, K * N);
    fill(s->scale ? s->scale : MMARN_F32, stream + 2, a->scale, N);
    fill(MMARN_F32, stream + 3, a->row_scale, ROWS);
    fill(s->out, stream + 4, a->residual, ROWS * N);
    fill(s->out, stream + 5, a->gamma, N);
    fill(s->out, stream + 6, a->x3, ROWS * N);
    a->x1_t = mmarn_tensor_make(a->x1, s->x1, 2, (int64_t[]){ROWS, K});
    a->x2_t = mmarn_tensor_make(a->x2, s->x2, 2, (int64_t[]){K, N});
    a->scale_t = mmarn_tensor_make(a->scale, s->scale, 1, &n);
    a->row_scale_t = mmarn_tensor_make(a->row_scale, MMARN_F32, 1, &rows);
    a->residual_t = rows_of(a->residual, s->out);
    a->gamma_t = mmarn_tensor_make(a->gamma, s->out, 1, &n);
    a->x3_t = rows_of(a->x3, s->out);
}

static mmarn_op_config config_of(const struct arrays *a, const struct scenario *s, int32_t numerics, uint32_t flags)
{
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    config.x2 = &a->x2_t;
    config.numerics = numerics;
    config.flags = flags;
    if (s->x1 == MMARN_I8)
        config.dequant_scale = &a->scale_t;
    else if (s->scale)
        config.antiquant_scale = &a->scale_t;
    return config;
}

static bool fused_is_parts(struct group_rank *rank, mmarn_comm *comm, const struct scenario *s, int32_t numerics,
                           uint32_t flags)
{
    struct arrays *a = malloc(sizeof *a);
    make(a, s, rank->rank);
    mmarn_op_config config = config_of(a, s, numerics, flags);
    const mmarn_tensor mm[] = {rows_of(a->mm[0], s->out), rows_of(a->mm[1], s->out)};
    const mmarn_tensor y[] = {rows_of(a->y[0], s->out), rows_of(a->y[1], s->out)};
    const mmarn_tensor norm[] = {rows_of(a->norm[0], s->out), rows_of(a->norm[1], s->out)};
    const mmarn_tensor rstd[] = {mmarn_tensor_make(a->rstd[0], MMARN_F32, 1, (int64_t[]){ROWS}),
                                 mmarn_tensor_make(a->rstd[1], MMARN_F32, 1, (int64_t[]){ROWS})};
    mmarn_step whole = *STEP(&a->x1_t, &a->residual_t, &y[0], &norm[0]), product = *STEP(&a->x1_t, NULL, NULL, NULL);
    whole.x1_scale = product.x1_scale = s->per_token ? &a->row_scale_t : NULL;
    whole.x3 = product.x3 = &a->x3_t;
    whole.mm_out = &mm[0];
    whole.rstd = &rstd[0];
    product.mm_out = &mm[1];
    EXPECT_STATUS(mmarn_mm_all_reduce(comm, &config, &product), MMARN_OK);
    config.gamma = &a->gamma_t;
    EXPECT_STATUS(mmarn_mm_all_reduce_add_rms_norm(comm, &config, &whole), MMARN_OK);
    mmarn_op_config alone = *NORM_CONFIG(&a->gamma_t, config.epsilon, numerics);
    alone.flags = flags;
    mmarn_step rest = *STEP(&mm[1], &a->residual_t, &y[1], &norm[1]);
    rest.rstd = &rstd[1];
    EXPECT_STATUS(mmarn_add_rms_norm(comm, &alone, &rest), MMARN_OK);
    const size_t bytes = ROWS * N * halffloat_size(s->out);
    EXPECT(memcmp(a->mm[0], a->mm[1], bytes) == 0, "%s: mm_out differs", s->name);
    EXPECT(memcmp(a->y[0], a->y[1], bytes) == 0, "%s: y differs", s->name);
    EXPECT(memcmp(a->norm[0], a->norm[1], bytes) == 0, "%s: norm_out differs", s->name);
    EXPECT(memcmp(a->rstd[0], a->rstd[1], sizeof a->rstd[0]) == 0, "%s: rstd differs", s->name);
    free(a);
    return true;
}

static bool parts_rank(struct group_rank *rank, void *ctx)
{
    (void)ctx;
    mmarn_comm *comm = group_join(rank, 2);
    bool ok = comm;
    /* The mode that keeps sums in fp32 has no such separate steps, because mm_out is rounded between them. */
    for (int i = 0; ok && i < SCENARIOS; i++)
        for (int32_t numerics = 0; ok && numerics < 2; numerics++)
            ok = fused_is_parts(rank, comm, &scenarios[i], numerics, 0) &&
                 fused_is_parts(rank, comm, &scenarios[i], numerics, MMARN_NORM_FIRST | MMARN_GAMMA_PLUS_ONE);
    mmarn_comm_destroy(comm);
    return ok;
}

static void fused_calls_are_their_parts(void **state)
{
    (void)state;
    for (int world_size = 1; world_size <= 4; world_size++)
        assert_true(group_run(mode, world_size, parts_rank, NULL));
}

/*
 * The int8 rows of one operator and their scales go into the next matmul. It gives the same sums as a plain loop in
 * fp32, where a partial is fp32(sum) * scale, times the row's scale.
 */
static void int8_rows_feed_the_next_matmul(void **state)
{
    (void)state;
    struct arrays *a = malloc(sizeof *a);
    const struct scenario *s = &scenarios[3];
    static signed char rows[ROWS * N], weights[N * K];
    static float scale[ROWS], partial[ROWS * K], columns[K];
    mmarn_comm *comm = NULL;
    mmarn_comm_config group = MMARN_COMM_CONFIG_INIT;
    assert_int_equal(mmarn_comm_create(NULL, &group, &comm), MMARN_OK);
    make(a, s, 0);
    fill(MMARN_I8, 77, weights, N * K);
    fill(MMARN_F32, 78, columns, K);
    const mmarn_tensor rows_t = rows_of(rows, MMARN_I8),
                       scale_t = mmarn_tensor_make(scale, MMARN_F32, 1, (int64_t[]){ROWS});
    mmarn_op_config norm = *NORM_CONFIG(&a->gamma_t, 1e-6, MMARN_NUMERICS_DEFAULT);
    mmarn_step step = *STEP(&a->residual_t, NULL, NULL, &rows_t);
    step.norm_scale = &scale_t;
    assert_int_equal(mmarn_add_rms_norm(comm, &norm, &step), MMARN_OK);
    mmarn_op *op = NULL;
    const mmarn_tensor x2 = mmarn_tensor_make(weights, MMARN_I8, 2, (int64_t[]){N, K});
    const mmarn_tensor dequant = mmarn_tensor_make(columns, MMARN_F32, 1, (int64_t[]){K});
    const mmarn_tensor out = mmarn_tensor_make(partial, MMARN_F32, 2, (int64_t[]){ROWS, K});
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    config.x2 = &x2;
    config.dequant_scale = &dequant;
    assert_int_equal(mmarn_op_create(comm, &config, &op), MMARN_OK);
    mmarn_step next = *STEP(&rows_t, NULL, NULL, NULL);
    next.x1_scale = &scale_t;
    next.mm_out = &out;
    assert_int_equal(mmarn_op_matmul(op, &next), MMARN_OK);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < K; j++) {
            int32_t sum = 0;
            for (int p = 0; p < N; p++)
                sum += rows[i * N + p] * weights[p * K + j];
            float expected = (float)sum * columns[j];
            expected *= scale[i];
            assert_memory_equal(&partial[i * K + j], &expected, sizeof expected);
        }
    mmarn_op_destroy(op);
    mmarn_comm_destroy(comm);
    free(a);
}

int main(int argc, char **argv)
{
    (void)argv;
    mode = argc > 1 ? GROUP_THREADS : GROUP_PROCESSES;
    test_seed(); /* the same for all ranks */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fused_calls_are_their_parts),
        cmocka_unit_test(int8_rows_feed_the_next_matmul),
    };
    return cmocka_run_group_tests_name("forms and their parts", tests, NULL, NULL);
}
