/* SPDX-License-Identifier: MIT */
/*
 * test_form_rules.c - what the operator's forms refuse, each in one sentence, with outputs left as they were; and that
 * mmarn_check says the same beforehand, with no data at all. Each line breaks one thing in a call that is right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "group.h"

enum { ROWS = 4, K = 8, N = 16, POISON = 0xA5 };

/* A right call of its form; tensors that a form has no place for are there, but not in its step. */
struct call {
    mmarn_form form;
    mmarn_op_config config;
    mmarn_step step;
    mmarn_tensor x1, x2, gamma, bias, x3, residual, y, norm_out, mm_out, rstd, scale, vector;
};

enum { INPUTS = 6, OUTPUTS = 5 };
static float inputs[INPUTS][ROWS * N + K * N];
static unsigned char outputs[OUTPUTS][ROWS * N * 4];
static mmarn_comm *comm;

static mmarn_tensor matrix(void *data, int32_t dtype, int64_t rows, int64_t n)
{
    return mmarn_tensor_make(data, dtype, 2, (int64_t[]){rows, n});
}

static void make_call(struct call *c, mmarn_form form)
{
    const bool matmul = form == MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM || form == MMARN_FORM_MM_ALL_REDUCE ||
                        form == MMARN_FORM_OP_MATMUL;
    const int64_t n = N, rows = ROWS;
    memset(outputs, POISON, sizeof outputs);
    *c = (struct call){.form = form, .config = MMARN_OP_CONFIG_INIT, .step = MMARN_STEP_INIT};
    c->x1 = matrix(inputs[0], MMARN_F16, ROWS, matmul ? K : N);
    c->x2 = matrix(inputs[1], MMARN_F16, K, N);
    c->gamma = mmarn_tensor_make(inputs[2], MMARN_F16, 1, &n);
    c->bias = mmarn_tensor_make(inputs[3], MMARN_F16, 1, &n);
    c->x3 = matrix(inputs[4], MMARN_F16, ROWS, N);
    c->residual = matrix(inputs[5], MMARN_F16, ROWS, N);
    c->y = matrix(outputs[0], MMARN_F16, ROWS, N);
    c->norm_out = matrix(outputs[1], MMARN_F16, ROWS, N);
    c->mm_out = matrix(outputs[2], form == MMARN_FORM_OP_MATMUL ? MMARN_F32 : MMARN_F16, ROWS, N);
    c->rstd = mmarn_tensor_make(outputs[3], MMARN_F32, 1, &rows);
    c->scale = mmarn_tensor_make(outputs[4], MMARN_F32, 1, &rows);
    c->vector = mmarn_tensor_make(inputs[2], MMARN_F32, 1, &rows);
    c->config.x2 = matmul ? &c->x2 : NULL;
    c->step.x1 = &c->x1;
    if (form <= MMARN_FORM_ADD_RMS_NORM && form != MMARN_FORM_MM_ALL_REDUCE) {
        c->config.gamma = &c->gamma;
        c->step.residual = &c->residual;
        c->step.y = &c->y;
        c->step.norm_out = &c->norm_out;
    } else {
        c->step.mm_out = &c->mm_out;
    }
}

static mmarn_status run(const struct call *c)
{
    mmarn_op *op = NULL;
    mmarn_status status;
    switch (c->form) {
    case MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM:
        return mmarn_mm_all_reduce_add_rms_norm(comm, &c->config, &c->step);
    case MMARN_FORM_MM_ALL_REDUCE:
        return mmarn_mm_all_reduce(comm, &c->config, &c->step);
    case MMARN_FORM_ALL_REDUCE_ADD_RMS_NORM:
        return mmarn_all_reduce_add_rms_norm(comm, &c->config, &c->step);
    case MMARN_FORM_ADD_RMS_NORM:
        return mmarn_add_rms_norm(comm, &c->config, &c->step);
    case MMARN_FORM_ALL_REDUCE:
        return mmarn_all_reduce(comm, c->config.numerics, c->step.x1, c->step.mm_out);
    case MMARN_FORM_REDUCE_SCATTER:
        return mmarn_reduce_scatter(comm, c->config.numerics, c->step.x1, c->step.mm_out);
    case MMARN_FORM_ALL_GATHER:
        return mmarn_all_gather(comm, c->step.x1, c->step.mm_out);
    default:
        status = mmarn_op_create(comm, &c->config, &op);
        if (status == MMARN_OK)
            status = mmarn_op_matmul(op, &c->step);
        mmarn_op_destroy(op);
        return status;
    }
}

#define BREAK(name, statement)                                                                                         \
    static void name(struct call *c)                                                                                   \
    {                                                                                                                  \
        statement;                                                                                                     \
    }
BREAK(nothing, (void)c)
BREAK(with_x3, c->step.x3 = &c->x3)
BREAK(x3_f32, (with_x3(c), c->x3.dtype = MMARN_F32))
BREAK(x3_bf16, (with_x3(c), c->x3.dtype = MMARN_BF16))
BREAK(x3_rows, (with_x3(c), c->x3 = matrix(inputs[4], MMARN_F16, ROWS - 1, N)))
BREAK(x3_n, (with_x3(c), c->x3 = matrix(inputs[4], MMARN_F16, ROWS, N - 1)))
BREAK(x3_strided, (with_x3(c), c->x3.strides[0] = 2 * N))
BREAK(x3_is_y, (with_x3(c), c->x3.data = outputs[0]))
BREAK(with_mm_out, c->step.mm_out = &c->mm_out)
BREAK(mm_out_f32, (with_mm_out(c), c->mm_out.dtype = MMARN_F32))
BREAK(mm_out_shape, (with_mm_out(c), c->mm_out = matrix(outputs[2], MMARN_F16, N, ROWS)))
BREAK(mm_out_is_y, (with_mm_out(c), c->mm_out.data = outputs[0]))
BREAK(mm_out_null, c->step.mm_out = NULL)
BREAK(mm_out_x1, c->mm_out.data = inputs[0])
BREAK(no_outputs, c->step.y = c->step.norm_out = NULL)
BREAK(no_gamma, c->config.gamma = NULL)
BREAK(no_gamma_no_norm, (no_gamma(c), c->step.norm_out = NULL))
BREAK(no_gamma_rstd, (no_gamma_no_norm(c), c->step.rstd = &c->rstd))
BREAK(no_residual, c->step.residual = NULL)
BREAK(no_residual_y_f32, (no_residual(c), c->y.dtype = MMARN_F32))
BREAK(no_residual_y_bf16, (no_residual(c), c->y.dtype = MMARN_BF16))
BREAK(only_y, c->step.norm_out = NULL)
BREAK(only_norm, c->step.y = NULL)
BREAK(norm_shape, (only_norm(c), c->norm_out = matrix(outputs[1], MMARN_F16, ROWS * 2, N / 2)))
BREAK(with_rstd, c->step.rstd = &c->rstd)
BREAK(rstd_f16, (with_rstd(c), c->rstd.dtype = MMARN_F16))
BREAK(rstd_2d, (with_rstd(c), c->rstd = matrix(outputs[3], MMARN_F32, ROWS, 1)))
BREAK(rstd_rows, (with_rstd(c), c->rstd.shape[0] = ROWS + 1))
BREAK(rstd_is_scale,
      (c->norm_out.dtype = MMARN_I8, with_rstd(c), c->step.norm_scale = &c->scale, c->scale.data = outputs[3]))
BREAK(norm_i8, (c->norm_out.dtype = MMARN_I8, c->step.norm_scale = &c->scale))
BREAK(norm_i8_no_scale, c->norm_out.dtype = MMARN_I8)
BREAK(scale_without_i8, c->step.norm_scale = &c->scale)
BREAK(scale_rows, (norm_i8(c), c->scale.shape[0] = ROWS - 1))
BREAK(scale_strided, (norm_i8(c), c->scale.strides[0] = 2))
BREAK(x1_scale, c->step.x1_scale = &c->vector)
BREAK(sharded, c->config.flags = MMARN_SHARD_ROWS)
BREAK(norm_first, c->config.flags = MMARN_NORM_FIRST)
BREAK(plus_one, c->config.flags = MMARN_GAMMA_PLUS_ONE)
BREAK(unknown_flag, c->config.flags = 64)
BREAK(bias_once, c->config.flags = MMARN_BIAS_ONCE)
BREAK(with_x2, c->config.x2 = &c->x2)
BREAK(with_bias, c->config.bias = &c->bias)
BREAK(with_gamma, c->config.gamma = &c->gamma)
BREAK(with_group_size, c->config.antiquant_group_size = 32)
BREAK(with_residual, c->step.residual = &c->residual)
BREAK(with_y, c->step.y = &c->y)
BREAK(with_norm_out, c->step.norm_out = &c->norm_out)
BREAK(epsilon_0, c->config.epsilon = 0)
BREAK(numerics_3, c->config.numerics = 3)
BREAK(x1_i8, c->x1.dtype = c->mm_out.dtype = MMARN_I8)
BREAK(x1_f32, c->x1.dtype = MMARN_F32)
BREAK(x1_1d, c->x1 = mmarn_tensor_make(inputs[0], MMARN_F16, 1, (int64_t[]){N}))
BREAK(y_is_x1, c->y.data = inputs[0])
BREAK(y_in_x1, c->y.data = (char *)inputs[0] + 2)
BREAK(y_is_x1_sharded, (y_is_x1(c), sharded(c)))
BREAK(norm_is_x1, c->norm_out.data = inputs[0])
BREAK(norm_is_residual, c->norm_out.data = inputs[5])
BREAK(gamma_n, c->gamma.shape[0] = N - 1)
BREAK(gamma_bf16, c->gamma.dtype = MMARN_BF16)
BREAK(out_rows, c->mm_out = matrix(outputs[2], MMARN_F16, ROWS - 1, N))
BREAK(out_bf16, c->mm_out.dtype = MMARN_BF16)
BREAK(both_i64, c->x1.dtype = c->mm_out.dtype = MMARN_I64)

enum {
    OP = MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM,
    MM = MMARN_FORM_MM_ALL_REDUCE,
    REDUCE = MMARN_FORM_ALL_REDUCE_ADD_RMS_NORM,
    NORM = MMARN_FORM_ADD_RMS_NORM,
    MATMUL = MMARN_FORM_OP_MATMUL,
    SUM = MMARN_FORM_ALL_REDUCE,
    SCATTER = MMARN_FORM_REDUCE_SCATTER,
    GATHER = MMARN_FORM_ALL_GATHER,
    OK = MMARN_OK,
    NIL = MMARN_ERR_NULL,
    ARG = MMARN_ERR_ARGUMENT,
    UNS = MMARN_ERR_UNSUPPORTED
};

/* memory: the rule is about addresses, which mmarn_check does not see. */
static const struct rule {
    mmarn_form form;
    void (*apply)(struct call *);
    mmarn_status status;
    const char *text;
    bool memory;
} rules[] = {
    {OP, nothing, OK, "", false},
    {OP, with_x3, OK, "", false},
    {OP, x3_f32, OK, "", false},
    {OP, x3_bf16, UNS, "x3 is bf16 but x2 is f16", false},
    {OP, x3_rows, ARG, "x3 is (3, 16), which has 3 rows, but x1 is (4, 8)", false},
    {OP, x3_n, ARG, "x3 is (4, 15) but x2's last axis is 16", false},
    {OP, x3_strided, UNS, "x3 is (4, 16) with strides (32, 1)", false},
    {OP, x3_is_y, ARG, "overlaps x3", true},
    {OP, with_mm_out, OK, "", false},
    {OP, mm_out_f32, UNS, "mm_out is f32 but x2 is f16", false},
    {OP, mm_out_shape, ARG, "mm_out is (16, 4) but residual is (4, 16)", false},
    {OP, mm_out_is_y, ARG, "mm_out (at", true},
    {OP, no_outputs, NIL, "must have an output", false},
    {OP, no_gamma, NIL, "gamma is NULL but norm_out is given", false},
    {OP, no_gamma_no_norm, OK, "", false},
    {OP, no_gamma_rstd, NIL, "gamma is NULL but rstd is given", false},
    {OP, no_residual, OK, "", false},
    {OP, no_residual_y_f32, OK, "", false},
    {OP, no_residual_y_bf16, UNS, "y is bf16 but x2 is f16; it must be f16 or f32", false},
    {OP, only_y, OK, "", false},
    {OP, only_norm, OK, "", false},
    {OP, norm_shape, ARG, "norm_out is (8, 8) but residual is (4, 16)", false},
    {OP, with_rstd, OK, "", false},
    {OP, rstd_f16, UNS, "rstd is f16 but a value for each row is f32", false},
    {OP, rstd_2d, ARG, "rstd has 2 axes; it must have 1", false},
    {OP, rstd_rows, ARG, "rstd is (5,) but x1 is (4, 8), which has 4 rows", false},
    {OP, rstd_is_scale, ARG, "norm_scale (at", true},
    {OP, norm_i8, OK, "", false},
    {OP, norm_i8_no_scale, NIL, "norm_scale is NULL", false},
    {OP, scale_without_i8, UNS, "norm_scale is given but norm_out is not i8", false},
    {OP, scale_rows, ARG, "norm_scale is (3,) but x1", false},
    {OP, scale_strided, UNS, "norm_scale is (4,) with strides (2,)", false},
    {OP, x1_scale, UNS, "x1_scale is given but x1 is not i8", false},
    {OP, sharded, OK, "", false},
    {OP, norm_first, OK, "", false},
    {OP, plus_one, OK, "", false},
    {OP, unknown_flag, UNS, "flags is 0x40", false},
    {OP, norm_is_residual, ARG, "overlaps residual", true},
    {MM, nothing, OK, "", false},
    {MM, with_x3, OK, "", false},
    {MM, with_bias, OK, "", false},
    {MM, sharded, OK, "", false},
    {MM, mm_out_null, NIL, "mm_out is NULL", false},
    {MM, mm_out_x1, ARG, "overlaps x1", true},
    {MM, with_gamma, UNS, "gamma is given but mmarn_mm_all_reduce has neither", false},
    {MM, with_residual, UNS, "residual is given but", false},
    {MM, with_y, UNS, "y is given but", false},
    {MM, with_norm_out, UNS, "norm_out is given but", false},
    {MM, with_rstd, UNS, "rstd is given but", false},
    {MM, scale_without_i8, UNS, "norm_scale is given but", false},
    {REDUCE, nothing, OK, "", false},
    {REDUCE, with_mm_out, OK, "", false},
    {REDUCE, sharded, OK, "", false},
    {REDUCE, norm_i8, OK, "", false},
    {REDUCE, no_gamma, NIL, "gamma is NULL", false},
    {REDUCE, with_x2, UNS, "x2 is given but this call has no matmul", false},
    {REDUCE, with_bias, UNS, "bias is given but this call has no matmul", false},
    {REDUCE, with_group_size, UNS, "antiquant_group_size is given but", false},
    {REDUCE, with_x3, UNS, "x3 is given but there is no x2", false},
    {REDUCE, x1_scale, UNS, "x1_scale is given but there is no x2", false},
    {REDUCE, bias_once, UNS, "flags is 0x4", false},
    {REDUCE, epsilon_0, ARG, "epsilon is 0", false},
    {REDUCE, numerics_3, UNS, "numerics is 3", false},
    {REDUCE, gamma_n, ARG, "gamma is (15,) but x1's last axis is 16", false},
    {REDUCE, gamma_bf16, UNS, "gamma is bf16 but x1 is f16", false},
    {REDUCE, y_is_x1, OK, "", true},
    {REDUCE, y_is_x1_sharded, ARG, "overlaps x1", true},
    {REDUCE, y_in_x1, ARG, "overlaps x1", true},
    {REDUCE, norm_is_x1, OK, "", true},
    {NORM, nothing, OK, "", false},
    {NORM, no_residual, OK, "", false},
    {NORM, norm_first, OK, "", false},
    {NORM, norm_i8, OK, "", false},
    {NORM, only_norm, OK, "", false},
    {NORM, norm_is_x1, OK, "", true},
    {NORM, sharded, UNS, "flags is 0x10", false},
    {NORM, with_mm_out, UNS, "mm_out is given but x1 is mm_out here", false},
    {NORM, x1_1d, ARG, "x1 has 1 axes", false},
    {NORM, no_outputs, NIL, "must have an output", false},
    {MATMUL, nothing, OK, "", false},
    {MATMUL, with_y, UNS, "y is given but mmarn_op_matmul has", false},
    {MATMUL, with_x3, UNS, "x3 is given but", false},
    {MATMUL, mm_out_null, NIL, "mm_out is NULL", false},
    {MATMUL, out_rows, ARG, "mm_out is (3, 16), which has 3 rows", false},
    {MATMUL, mm_out_x1, ARG, "overlaps x1", true},
    {MATMUL, x1_scale, UNS, "x1_scale is given but", false},
    {SUM, nothing, OK, "", false},
    {SUM, mm_out_x1, OK, "", true},
    {SUM, out_rows, ARG, "out is (3, 16) but in is (4, 16)", false},
    {SUM, numerics_3, UNS, "numerics is 3", false},
    {SCATTER, nothing, OK, "", false},
    {SCATTER, out_rows, ARG, "out is (3, 16), which has 3 rows, but in is (4, 16), of which rank 0 of 1 has 4", false},
    {SCATTER, x1_i8, UNS, "in has dtype 4", false},
    {SCATTER, x1_f32, UNS, "out is f16 but in is f32", false},
    {SCATTER, mm_out_x1, ARG, "out (at", true},
    {SCATTER, numerics_3, UNS, "numerics is 3", false},
    {GATHER, nothing, OK, "", false},
    {GATHER, x1_i8, OK, "", false},
    {GATHER, mm_out_x1, OK, "", true},
    {GATHER, out_bf16, UNS, "out is bf16 but in is f16", false},
    {GATHER, both_i64, UNS, "out is i64; mmarn_all_gather takes", false},
    {GATHER, out_rows, ARG, "in is (4, 16), which has 4 rows, but out is (3, 16)", false},
};
enum { RULES = sizeof rules / sizeof *rules };

static void expect(size_t i, const char *by, mmarn_status got, mmarn_status status)
{
    if (got != status)
        fail_msg("rule %zu, %s: %s (%s) instead of %s", i, by, mmarn_status_string(got), mmarn_last_error(),
                 mmarn_status_string(status));
    if (status != MMARN_OK && !strstr(mmarn_last_error(), rules[i].text))
        fail_msg("rule %zu, %s: \"%s\" is not in: %s", i, by, rules[i].text, mmarn_last_error());
}

static void calls(void **state)
{
    (void)state;
    for (size_t i = 0; i < RULES; i++) {
        struct call c;
        make_call(&c, rules[i].form);
        rules[i].apply(&c);
        expect(i, "the call", run(&c), rules[i].status);
        for (size_t at = 0; at < sizeof outputs && rules[i].status != MMARN_OK; at++)
            assert_int_equal(((unsigned char *)outputs)[at], POISON);
    }
}

static void forget_data(struct call *c)
{
    mmarn_tensor *all[] = {&c->x1, &c->x2,       &c->gamma,  &c->bias, &c->x3,    &c->residual,
                           &c->y,  &c->norm_out, &c->mm_out, &c->rstd, &c->scale, &c->vector};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        all[i]->data = NULL;
}

static void checks(void **state)
{
    (void)state;
    for (size_t i = 0; i < RULES; i++) {
        struct call c;
        make_call(&c, rules[i].form);
        rules[i].apply(&c);
        forget_data(&c);
        expect(i, "mmarn_check", mmarn_check(c.form, 0, 1, &c.config, &c.step),
               rules[i].memory ? MMARN_OK : rules[i].status);
    }
}

/* Rows of a rank's own, and what belongs to the group. */
static void checks_of_other_ranks(void **state)
{
    (void)state;
    struct call c;
    make_call(&c, OP);
    c.config.flags = MMARN_SHARD_ROWS;
    assert_int_equal(mmarn_check(OP, 0, 3, &c.config, &c.step), ARG);
    assert_non_null(strstr(mmarn_last_error(), "of which rank 0 of 3 has 2"));
    c.residual = c.y = c.norm_out = matrix(NULL, MMARN_F16, 2, N);
    assert_int_equal(mmarn_check(OP, 0, 3, &c.config, &c.step), OK);
    assert_int_equal(mmarn_check(OP, 1, 3, &c.config, &c.step), ARG);
    assert_int_equal(mmarn_check(OP, 3, 3, &c.config, &c.step), ARG);
    assert_int_equal(mmarn_check(OP, 0, 65, &c.config, &c.step), ARG);
    assert_int_equal(mmarn_check(-1, 0, 1, &c.config, &c.step), ARG);
    assert_int_equal(mmarn_check(8, 0, 1, &c.config, &c.step), ARG);
    assert_non_null(strstr(mmarn_last_error(), "form is 8"));
    assert_int_equal(mmarn_check(OP, 0, 1, NULL, &c.step), NIL);
    assert_int_equal(mmarn_check(OP, 0, 1, &c.config, NULL), OK); /* the weights alone */
    c.config.epsilon = -1;
    assert_int_equal(mmarn_check(OP, 0, 1, &c.config, NULL), ARG);
    c.config.epsilon = 1;
    c.config.x2 = NULL;
    assert_int_equal(mmarn_check(OP, 0, 1, &c.config, NULL), NIL);
    assert_int_equal(mmarn_check(NORM, 0, 1, &c.config, NULL), NIL);
    assert_int_equal(mmarn_check(SUM, 0, 1, &c.config, NULL), NIL);
}

int main(void)
{
    for (int i = 0; i < INPUTS; i++)
        for (int j = 0; j < ROWS * N + K * N; j++)
            inputs[i][j] = 0.25F + (float)(i * 10 + j % 50) / 64; /* right in f16 too, halves of it being numbers */
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    if (mmarn_comm_create(NULL, &config, &comm) != MMARN_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls),
        cmocka_unit_test(checks),
        cmocka_unit_test(checks_of_other_ranks),
    };
    int failures = cmocka_run_group_tests_name("rules of the forms", tests, NULL, NULL);
    mmarn_comm_destroy(comm);
    return failures;
}
