/* SPDX-License-Identifier: MIT */
/*
 * test_bad_input.c - every rule of the operator's arguments: its status, the sentence, and outputs left as they were.
 * Each line breaks one thing in a call that is otherwise right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "group.h"
#include "mmarn/mmarn_ascend.h"

enum { B = 1, S = 16, K = 32, N = 16, POISON = 0xA5 };

/* A right call: x1 (16, 32), x2 (32, 16), bias (16), residual (1, 16, 16). */
struct call {
    mmarn_op_config config;
    mmarn_ascend_options ascend;
    mmarn_tensor x1, x2, bias, gamma, residual, y, norm_out;
    const mmarn_tensor *x1_p, *residual_p, *y_p, *norm_out_p;
};

static uint16_t x1_data[S * K], x2_data[2 * K * N], bias_data[N], gamma_data[S * N], residual_data[S * N];
static uint16_t y_data[2 * S * N], norm_data[2 * S * N];

static mmarn_comm *comm;

static void make_call(struct call *c)
{
    memset(y_data, POISON, sizeof y_data);
    memset(norm_data, POISON, sizeof norm_data);
    c->x1 = mmarn_tensor_make(x1_data, MMARN_F16, 2, (int64_t[]){S, K});
    c->x2 = mmarn_tensor_make(x2_data, MMARN_F16, 2, (int64_t[]){K, N});
    c->bias = mmarn_tensor_make(bias_data, MMARN_F16, 1, (int64_t[]){N});
    c->gamma = mmarn_tensor_make(gamma_data, MMARN_F16, 1, (int64_t[]){N});
    c->residual = mmarn_tensor_make(residual_data, MMARN_F16, 3, (int64_t[]){B, S, N});
    c->y = mmarn_tensor_make(y_data, MMARN_F16, 3, (int64_t[]){B, S, N});
    c->norm_out = mmarn_tensor_make(norm_data, MMARN_F16, 3, (int64_t[]){B, S, N});
    c->config = (mmarn_op_config)MMARN_OP_CONFIG_INIT;
    c->ascend = (mmarn_ascend_options)MMARN_ASCEND_OPTIONS_INIT;
    c->config.ascend = &c->ascend;
    c->config.x2 = &c->x2;
    c->config.bias = &c->bias;
    c->config.gamma = &c->gamma;
    c->x1_p = &c->x1;
    c->residual_p = &c->residual;
    c->y_p = &c->y;
    c->norm_out_p = &c->norm_out;
}

static void shape(mmarn_tensor *tensor, int ndim, int64_t a, int64_t b, int64_t c)
{
    int64_t sizes[3] = {a, b, c};
    *tensor = mmarn_tensor_make(tensor->data, tensor->dtype, ndim, sizes);
}

#define BREAK(name, statement)                                                                                         \
    static void name(struct call *c)                                                                                   \
    {                                                                                                                  \
        statement;                                                                                                     \
    }

BREAK(nothing, (void)c)
BREAK(x1_null, c->x1_p = NULL)
BREAK(x2_null, c->config.x2 = NULL)
BREAK(residual_null, c->residual_p = NULL)
BREAK(gamma_null, c->config.gamma = NULL)
BREAK(y_null, c->y_p = NULL)
BREAK(norm_null, c->norm_out_p = NULL)
BREAK(outputs_null, c->y_p = c->norm_out_p = NULL)
BREAK(limits, c->ascend.flags = MMARN_ASCEND_LIMITS)
BREAK(residual_null_limits, (limits(c), residual_null(c)))
BREAK(y_null_limits, (limits(c), y_null(c)))
BREAK(norm_null_limits, (limits(c), norm_null(c)))
BREAK(ascend_flags, c->ascend.flags = 6)
BREAK(x1_data_null, c->x1.data = NULL)
BREAK(struct_size, c->config.struct_size = 3)
BREAK(x1_1d, shape(&c->x1, 1, K, 0, 0))
BREAK(x1_4d, c->x1.ndim = 4)
BREAK(x2_1d, shape(&c->x2, 1, K, 0, 0))
BREAK(x2_3d, shape(&c->x2, 3, 1, K, N))
BREAK(x2_k, shape(&c->x2, 2, 30, N, 0))
BREAK(x1_negative, c->x1.shape[0] = -1)
BREAK(x1_huge, shape(&c->x1, 3, (int64_t)1 << 40, (int64_t)1 << 40, K))
BREAK(residual_1d, shape(&c->residual, 1, S, 0, 0))
BREAK(residual_rows, shape(&c->residual, 3, 1, S - 1, N))
BREAK(residual_n, shape(&c->residual, 3, 1, S, 32))
BREAK(gamma_2d, shape(&c->gamma, 2, 1, N, 0))
BREAK(gamma_n, shape(&c->gamma, 1, N + 1, 0, 0))
BREAK(bias_n, shape(&c->bias, 1, N - 1, 0, 0))
BREAK(bias_2d, shape(&c->bias, 2, 1, N, 0))
BREAK(y_shape, shape(&c->y, 3, S, 1, N))
BREAK(norm_shape, shape(&c->norm_out, 2, S, N, 0))
BREAK(x1_dtype, c->x1.dtype = MMARN_BF16)
BREAK(x2_dtype, c->x2.dtype = 99)
BREAK(gamma_dtype, c->gamma.dtype = MMARN_BF16)
BREAK(bias_dtype, c->bias.dtype = MMARN_BF16)
BREAK(residual_dtype, c->residual.dtype = MMARN_BF16)
BREAK(y_dtype, c->y.dtype = 0)
BREAK(norm_dtype, c->norm_out.dtype = MMARN_F32)
BREAK(x1_stride, c->x1.strides[0] = K + 1)
BREAK(x2_stride, c->x2.strides[0] = 2 * N)
BREAK(gamma_stride, c->gamma.strides[0] = 2)
BREAK(residual_stride, c->residual.strides[2] = 2)
BREAK(y_stride, c->y.strides[1] = 2 * N)
BREAK(norm_stride, c->norm_out.strides[2] = 0)
BREAK(epsilon_zero, c->config.epsilon = 0)
BREAK(epsilon_negative, c->config.epsilon = -1e-6)
BREAK(epsilon_tiny, c->config.epsilon = 1e-60)
BREAK(epsilon_nan, c->config.epsilon = 0.0 / 0.0)
BREAK(epsilon_infinite, c->config.epsilon = 1.0 / 0.0)
BREAK(reduce_op, c->ascend.reduce_op = "max")
BREAK(comm_turn, c->ascend.comm_turn = 2)
BREAK(numerics, c->config.numerics = 7)
BREAK(flags, c->config.flags = 1u << 30)
BREAK(y_is_x1, c->y.data = x1_data)
BREAK(y_shifted, (c->residual.data = y_data, c->y.data = y_data + 1))
BREAK(norm_is_residual, c->norm_out.data = residual_data)
BREAK(norm_is_y, c->norm_out.data = y_data)
BREAK(norm_in_x2, c->norm_out.data = x2_data)
BREAK(y_in_gamma, c->y.data = gamma_data)
BREAK(k_zero, (shape(&c->x1, 2, S, 0, 0), shape(&c->x2, 2, 0, N, 0)))
/* What npu_mm_all_reduce_add_rms_norm allows, side by side with what it refuses. */
BREAK(bias_absent, c->config.bias = NULL)
BREAK(x1_3d, shape(&c->x1, 3, 2, S / 2, K))
BREAK(residual_2d, (shape(&c->residual, 2, S, N, 0), shape(&c->y, 2, S, N, 0), shape(&c->norm_out, 2, S, N, 0)))
BREAK(transposed, (shape(&c->x2, 2, N, K, 0), c->x2 = mmarn_tensor_transpose(&c->x2)))
BREAK(in_place, c->residual.data = y_data)
BREAK(sum, c->ascend.reduce_op = "sum")
BREAK(odd_stride_of_one, c->residual.strides[0] = 12345)
BREAK(no_rows, (shape(&c->x1, 2, 0, K, 0), shape(&c->residual, 3, 1, 0, N), shape(&c->y, 3, 1, 0, N),
                shape(&c->norm_out, 3, 1, 0, N)))
BREAK(no_columns, (shape(&c->x2, 2, K, 0, 0), shape(&c->gamma, 1, 0, 0, 0), shape(&c->bias, 1, 0, 0, 0),
                   shape(&c->residual, 3, 1, S, 0), shape(&c->y, 3, 1, S, 0), shape(&c->norm_out, 3, 1, S, 0)))
BREAK(no_rows_bad_option, (no_rows(c), c->ascend.comm_turn = 1))

/* The order of the rules: null before shape, shape before empty, empty before dtype and options. */
BREAK(null_and_shape, (c->x1_p = NULL, c->residual.shape[0] = -1))
BREAK(shape_and_dtype, (x2_k(c), c->x1.dtype = 99, c->config.epsilon = 0))

static const struct rule {
    void (*apply)(struct call *);
    mmarn_status status;
    const char *text[2]; /* both in the sentence */
} rules[] = {
    {nothing, MMARN_OK, {"", ""}},
    {bias_absent, MMARN_OK, {"", ""}},
    {x1_3d, MMARN_OK, {"", ""}},
    {residual_2d, MMARN_OK, {"", ""}},
    {transposed, MMARN_OK, {"", ""}},
    {in_place, MMARN_OK, {"", ""}},
    {sum, MMARN_OK, {"", ""}},
    {odd_stride_of_one, MMARN_OK, {"", ""}},
    {no_rows, MMARN_OK, {"", ""}},
    {no_columns, MMARN_OK, {"", ""}},
    {no_rows_bad_option, MMARN_OK, {"", ""}},
    {x1_null, MMARN_ERR_NULL, {"x1 is NULL", ""}},
    {x2_null, MMARN_ERR_NULL, {"x2 is NULL", ""}},
    {residual_null, MMARN_OK, {"", ""}},
    {gamma_null, MMARN_ERR_NULL, {"gamma is NULL", ""}},
    {y_null, MMARN_OK, {"", ""}},
    {norm_null, MMARN_OK, {"", ""}},
    {outputs_null, MMARN_ERR_NULL, {"y, norm_out and mm_out are NULL", "must have an output"}},
    {residual_null_limits, MMARN_ERR_NULL, {"residual is NULL", ""}},
    {y_null_limits, MMARN_ERR_NULL, {"y is NULL", ""}},
    {norm_null_limits, MMARN_ERR_NULL, {"norm_out is NULL", ""}},
    {x1_data_null, MMARN_ERR_NULL, {"x1->data is NULL", "512 elements"}},
    {struct_size, MMARN_ERR_ARGUMENT, {"struct_size is 3", "mmarn_op_config has"}},
    {x1_1d, MMARN_ERR_ARGUMENT, {"x1 has 1 axes", "2 to 3"}},
    {x1_4d, MMARN_ERR_ARGUMENT, {"x1 has 4 axes", "2 to 3"}},
    {x2_1d, MMARN_ERR_ARGUMENT, {"x2 has 1 axes", "must have 2"}},
    {x2_3d, MMARN_ERR_ARGUMENT, {"x2 has 3 axes", "must have 2"}},
    {x2_k, MMARN_ERR_ARGUMENT, {"x2 is (30, 16)", "x1's last axis is 32"}},
    {x1_negative, MMARN_ERR_ARGUMENT, {"x1 is (-1, 32)", "negative"}},
    {x1_huge, MMARN_ERR_ARGUMENT, {"x1 is (1099511627776, 1099511627776, 32)", "more elements"}},
    {residual_1d, MMARN_ERR_ARGUMENT, {"residual has 1 axes", "2 to 3"}},
    {residual_rows, MMARN_ERR_ARGUMENT, {"residual is (1, 15, 16)", "x1 is (16, 32)"}},
    {residual_n, MMARN_ERR_ARGUMENT, {"residual is (1, 16, 32)", "x2's last axis is 16"}},
    {gamma_2d, MMARN_ERR_ARGUMENT, {"gamma has 2 axes", "must have 1"}},
    {gamma_n, MMARN_ERR_ARGUMENT, {"gamma is (17,)", "x2's last axis is 16"}},
    {bias_n, MMARN_ERR_ARGUMENT, {"bias is (15,)", "x2's last axis is 16"}},
    {bias_2d, MMARN_ERR_ARGUMENT, {"bias has 2 axes", "must have 1"}},
    {y_shape, MMARN_ERR_ARGUMENT, {"y is (16, 1, 16)", "residual is (1, 16, 16)"}},
    {norm_shape, MMARN_ERR_ARGUMENT, {"norm_out is (16, 16)", "residual is (1, 16, 16)"}},
    {k_zero, MMARN_ERR_ARGUMENT, {"x2 is (0, 16)", "k is 0"}},
    {x1_dtype, MMARN_ERR_UNSUPPORTED, {"x1 is bf16", "x2 is f16"}},
    {x2_dtype, MMARN_ERR_UNSUPPORTED, {"x2 has dtype 99", "f16"}},
    {gamma_dtype, MMARN_ERR_UNSUPPORTED, {"gamma is bf16", "x2 is f16; it must be f16 or f32"}},
    {bias_dtype, MMARN_ERR_UNSUPPORTED, {"bias is bf16", "x2 is f16"}},
    {residual_dtype, MMARN_ERR_UNSUPPORTED, {"residual is bf16", "x2 is f16; it must be f16 or f32"}},
    {y_dtype, MMARN_ERR_UNSUPPORTED, {"y is ?", "residual is f16"}},
    {norm_dtype, MMARN_ERR_UNSUPPORTED, {"norm_out is f32", "x2 is f16"}},
    {x1_stride, MMARN_ERR_UNSUPPORTED, {"x1 is (16, 32) with strides (33, 1)", "contiguous"}},
    {x2_stride, MMARN_ERR_UNSUPPORTED, {"x2 is (32, 16) with strides (32, 1)", "contiguous"}},
    {gamma_stride, MMARN_ERR_UNSUPPORTED, {"gamma is (16,) with strides (2,)", "contiguous"}},
    {residual_stride, MMARN_ERR_UNSUPPORTED, {"residual is (1, 16, 16) with strides (256, 16, 2)", "contiguous"}},
    {y_stride, MMARN_ERR_UNSUPPORTED, {"y is (1, 16, 16) with strides (256, 32, 1)", "contiguous"}},
    {norm_stride, MMARN_ERR_UNSUPPORTED, {"norm_out is (1, 16, 16) with strides (256, 16, 0)", "contiguous"}},
    {epsilon_zero, MMARN_ERR_ARGUMENT, {"epsilon is 0", "above 0"}},
    {epsilon_negative, MMARN_ERR_ARGUMENT, {"epsilon is -1e-06", "above 0"}},
    {epsilon_tiny, MMARN_ERR_ARGUMENT, {"epsilon is 1e-60, in fp32 0", "above 0"}},
    {epsilon_nan, MMARN_ERR_ARGUMENT, {"epsilon is", "finite"}},
    {epsilon_infinite, MMARN_ERR_ARGUMENT, {"epsilon is inf", "finite"}},
    {reduce_op, MMARN_ERR_UNSUPPORTED, {"reduce_op is \"max\"", "\"sum\""}},
    {comm_turn, MMARN_ERR_UNSUPPORTED, {"comm_turn is 2", "only 0"}},
    {numerics, MMARN_ERR_UNSUPPORTED, {"numerics is 7", "0 to 2"}},
    {flags, MMARN_ERR_UNSUPPORTED, {"flags is 0x40000000", "0x1f"}},
    {ascend_flags, MMARN_ERR_UNSUPPORTED, {"ascend->flags is 0x6", "0x1"}},
    {limits, MMARN_OK, {"", ""}},
    {y_is_x1, MMARN_ERR_ARGUMENT, {"y (at", "overlaps x1"}},
    {y_shifted, MMARN_ERR_ARGUMENT, {"y (at", "overlaps residual"}},
    {norm_is_residual, MMARN_ERR_ARGUMENT, {"norm_out (at", "overlaps residual"}},
    {norm_is_y, MMARN_ERR_ARGUMENT, {"norm_out (at", "overlaps y"}},
    {norm_in_x2, MMARN_ERR_ARGUMENT, {"norm_out (at", "overlaps x2"}},
    {y_in_gamma, MMARN_ERR_ARGUMENT, {"y (at", "overlaps gamma"}},
    {null_and_shape, MMARN_ERR_NULL, {"x1 is NULL", ""}},
    {shape_and_dtype, MMARN_ERR_ARGUMENT, {"x2 is (30, 16)", "x1's last axis is 32"}},
};

static bool untouched(const uint16_t *values)
{
    for (int i = 0; i < 2 * S * N; i++)
        if (values[i] != POISON * 0x101)
            return false;
    return true;
}

static void rules_of_the_whole_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct call c;
        make_call(&c);
        rules[i].apply(&c);
        mmarn_status status =
            mmarn_mm_all_reduce_add_rms_norm(comm, &c.config, STEP(c.x1_p, c.residual_p, c.y_p, c.norm_out_p));
        if (status != rules[i].status)
            fail_msg("rule %zu: %s (%s) instead of %s", i, mmarn_status_string(status), mmarn_last_error(),
                     mmarn_status_string(rules[i].status));
        if (status == MMARN_OK)
            continue;
        for (int j = 0; j < 2; j++)
            if (!strstr(mmarn_last_error(), rules[i].text[j]))
                fail_msg("rule %zu: \"%s\" is not in: %s", i, rules[i].text[j], mmarn_last_error());
        assert_true(untouched(y_data) && untouched(norm_data));
    }
}

/* The same rules through mmarn_op_create and mmarn_op_run: refused by the one or the other, in the same words. */
static void rules_of_create_and_run(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct call c;
        make_call(&c);
        rules[i].apply(&c);
        /* Packed weights are the operator's own, so these have nothing to overlap; options come before empty tensors.
         */
        if (rules[i].apply == norm_in_x2 || rules[i].apply == y_in_gamma || rules[i].apply == no_rows_bad_option ||
            rules[i].apply == null_and_shape || rules[i].apply == shape_and_dtype)
            continue;
        mmarn_op *op = NULL;
        mmarn_status status = mmarn_op_create(comm, &c.config, &op);
        if (status == MMARN_OK)
            status = mmarn_op_run(op, STEP(c.x1_p, c.residual_p, c.y_p, c.norm_out_p));
        mmarn_op_destroy(op);
        /* x2 is taken as the weights' type when they are packed, so x1 is what does not fit. */
        assert_int_equal(status, rules[i].status);
        for (int j = 0; status != MMARN_OK && j < 2; j++)
            assert_non_null(strstr(mmarn_last_error(), rules[i].text[j]));
        assert_true(status == MMARN_OK || (untouched(y_data) && untouched(norm_data)));
    }
}

static void handles(void **state)
{
    (void)state;
    struct call c;
    make_call(&c);
    mmarn_op *op = NULL;
    assert_int_equal(mmarn_op_create(NULL, &c.config, &op), MMARN_ERR_NULL);
    assert_int_equal(mmarn_op_create(comm, &c.config, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_op_create(comm, NULL, &op), MMARN_ERR_NULL);
    assert_int_equal(mmarn_op_run(NULL, STEP(c.x1_p, c.residual_p, c.y_p, c.norm_out_p)), MMARN_ERR_NULL);
    assert_int_equal(mmarn_mm_all_reduce_add_rms_norm(NULL, &c.config, STEP(c.x1_p, c.residual_p, c.y_p, c.norm_out_p)),
                     MMARN_ERR_NULL);
    assert_int_equal(mmarn_all_reduce(NULL, MMARN_NUMERICS_DEFAULT, &c.x1, &c.x1), MMARN_ERR_NULL);
    assert_int_equal(mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, NULL, &c.x1), MMARN_ERR_NULL);
    assert_int_equal(mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &c.x1, &c.x2), MMARN_ERR_ARGUMENT);
    assert_int_equal(mmarn_op_matmul(NULL, STEP(&c.x1, NULL, NULL, NULL)), MMARN_ERR_NULL);
    mmarn_op_destroy(NULL);
    mmarn_comm_destroy(NULL);
    mmarn_comm_abort(NULL);
}

/* The parts alone: which types may meet, and which memory may be shared. x is (2, 4); gamma is (4). */
static void parts_of_several_types(void **state)
{
    (void)state;
    static const struct {
        mmarn_dtype x, residual, gamma, y, norm_out;
        int y_at, norm_at; /* in memory: 0 x, 1 residual, 2 and 3 their own */
        mmarn_status status;
        const char *text;
    } lines[] = {
        {MMARN_F16, MMARN_F16, MMARN_F16, MMARN_F16, MMARN_F16, 0, 3, MMARN_OK, ""},
        {MMARN_F16, MMARN_F16, MMARN_F32, MMARN_F16, MMARN_F16, 1, 0, MMARN_OK, ""},
        {MMARN_F16, MMARN_F32, MMARN_F16, MMARN_F32, MMARN_F16, 1, 0, MMARN_OK, ""},
        {MMARN_F16, MMARN_F32, MMARN_F32, MMARN_F32, MMARN_F16, 2, 3, MMARN_OK, ""},
        {MMARN_F16, MMARN_F32, MMARN_F32, MMARN_F32, MMARN_F16, 0, 3, MMARN_ERR_ARGUMENT, "y (at"},
        {MMARN_F16, MMARN_F32, MMARN_F32, MMARN_F16, MMARN_F16, 2, 3, MMARN_ERR_UNSUPPORTED,
         "y is f16 but residual is f32"},
        {MMARN_F16, MMARN_F16, MMARN_F16, MMARN_F32, MMARN_F16, 2, 3, MMARN_ERR_UNSUPPORTED,
         "y is f32 but residual is f16"},
        {MMARN_F16, MMARN_F16, MMARN_F16, MMARN_F16, MMARN_F32, 2, 3, MMARN_ERR_UNSUPPORTED,
         "norm_out is f32 but x1 is f16"},
        {MMARN_F16, MMARN_BF16, MMARN_F16, MMARN_BF16, MMARN_F16, 2, 3, MMARN_ERR_UNSUPPORTED, "must be f16 or f32"},
        {MMARN_BF16, MMARN_BF16, MMARN_F16, MMARN_BF16, MMARN_BF16, 2, 3, MMARN_ERR_UNSUPPORTED, "gamma is f16"},
        {MMARN_F32, MMARN_F16, MMARN_F32, MMARN_F16, MMARN_F32, 2, 3, MMARN_ERR_UNSUPPORTED, "residual is f16"},
    };
    static const int64_t rows[] = {2, 4};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        float memory[5][8];
        memset(memory, POISON, sizeof memory);
        const mmarn_tensor x = mmarn_tensor_make(memory[0], lines[i].x, 2, rows),
                           residual = mmarn_tensor_make(memory[1], lines[i].residual, 2, rows),
                           gamma = mmarn_tensor_make(memory[4], lines[i].gamma, 1, rows + 1),
                           y = mmarn_tensor_make(memory[lines[i].y_at], lines[i].y, 2, rows),
                           norm_out = mmarn_tensor_make(memory[lines[i].norm_at], lines[i].norm_out, 2, rows);
        const mmarn_status status = mmarn_all_reduce_add_rms_norm(
            comm, NORM_CONFIG(&gamma, 1e-6, MMARN_NUMERICS_DEFAULT), STEP(&x, &residual, &y, &norm_out));
        if (status != lines[i].status || (status != MMARN_OK && !strstr(mmarn_last_error(), lines[i].text)))
            fail_msg("line %zu: %s (%s)", i, mmarn_status_string(status), mmarn_last_error());
        for (size_t at = 0; at < sizeof memory && status != MMARN_OK; at++)
            assert_int_equal(((unsigned char *)memory)[at], POISON);
    }
}

int main(void)
{
    for (int i = 0; i < S * K; i++)
        x1_data[i] = 0x3C00; /* 1.0 */
    for (int i = 0; i < K * N; i++)
        x2_data[i] = 0x3800; /* 0.5 */
    for (int i = 0; i < S * N; i++)
        residual_data[i] = 0xBC00; /* -1.0 */
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    if (mmarn_comm_create(NULL, &config, &comm) != MMARN_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_of_the_whole_call),
        cmocka_unit_test(rules_of_create_and_run),
        cmocka_unit_test(handles),
        cmocka_unit_test(parts_of_several_types),
    };
    int failures = cmocka_run_group_tests_name("bad input", tests, NULL, NULL);
    mmarn_comm_destroy(comm);
    return failures;
}
