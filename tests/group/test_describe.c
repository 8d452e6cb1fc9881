/* SPDX-License-Identifier: MIT */
/*
 * test_describe.c - mmarn_op_describe: the kernels are those that mmarn_describe lists, the algorithm follows from
 * sizes and ranks, the memory is what an operator takes; and what it refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "group.h"

enum { K = 96, N = 160 };

static unsigned char memory[4][K * N * 4];

static mmarn_status make(mmarn_comm *comm, int32_t x2, int32_t scale, int32_t gamma, uint32_t flags, mmarn_op **op)
{
    const int64_t n = N;
    const mmarn_tensor x2_t = mmarn_tensor_make(memory[0], x2, 2, (int64_t[]){K, N});
    const mmarn_tensor gamma_t = mmarn_tensor_make(memory[1], gamma, 1, &n);
    const mmarn_tensor scale_t = mmarn_tensor_make(memory[2], scale, 1, &n);
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    config.x2 = &x2_t;
    config.gamma = gamma ? &gamma_t : NULL;
    config.flags = flags;
    if (x2 == MMARN_I8 && scale == MMARN_F32)
        config.dequant_scale = &scale_t;
    else if (scale)
        config.antiquant_scale = &scale_t;
    return mmarn_op_create(comm, &config, op);
}

/* The value in a line of mmarn_describe. */
static void chosen(const char *key, char *value, size_t size)
{
    char text[1024];
    mmarn_describe(text, sizeof text);
    const char *at = strstr(text, key);
    assert_non_null(at);
    at += strlen(key) + 2;
    snprintf(value, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static void kernels(void **state)
{
    (void)state;
    static const struct {
        int32_t x2, scale;
        uint32_t flags;
        int64_t rows;
        const char *kernel, *multiply, *layout;
    } lines[] = {
        {MMARN_F16, 0, 0, 1, "gemm kernel", "fp32", "packed"},
        {MMARN_F32, 0, MMARN_BORROW_X2, 500, "gemm kernel", "fp32", "kn"},
        {MMARN_BF16, 0, 0, 1, "gemm kernel", "fp32", "packed"},
        {MMARN_BF16, 0, 0, 500, "bf16 kernel", "bf16", "packed"},
        {MMARN_I8, MMARN_F32, 0, 1, "int8 kernel", "int8", "packed"},
        {MMARN_I8, MMARN_F16, 0, 1, "quantised kernel", "fp32", "packed"},
        {MMARN_I4, MMARN_F16, 0, 500, "gemm kernel", "fp32", "packed"},
    };
    mmarn_comm *comm = NULL;
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    assert_int_equal(mmarn_comm_create(NULL, &config, &comm), MMARN_OK);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        mmarn_op *op = NULL;
        char kernel[64];
        mmarn_op_description d = MMARN_OP_DESCRIPTION_INIT;
        assert_int_equal(make(comm, lines[i].x2, lines[i].scale, 0, lines[i].flags, &op), MMARN_OK);
        assert_int_equal(mmarn_op_describe(op, lines[i].rows, &d), MMARN_OK);
        chosen(lines[i].kernel, kernel, sizeof kernel);
        const bool fallback = strcmp(kernel, "none") == 0; /* no instructions for pairs of bf16 here */
        if (fallback)
            chosen("gemm kernel", kernel, sizeof kernel);
        assert_string_equal(d.kernel, kernel);
        assert_string_equal(d.multiply, fallback ? "fp32" : lines[i].multiply);
        assert_string_equal(d.layout, lines[i].layout);
        assert_string_equal(d.algorithm, "one-shot");
        assert_string_equal(d.why, "there is one rank");
        assert_true(d.block_rows >= 1 && d.block_rows <= lines[i].rows && d.tile_columns >= 16);
        const int64_t blocks = (lines[i].rows - 1) / d.block_rows + 1, across = (N - 1) / d.tile_columns + 1;
        assert_int_equal(d.tiles, blocks * across);
        mmarn_op_destroy(op);
    }
    mmarn_comm_destroy(comm);
}

static void memory_of_an_operator(void **state)
{
    (void)state;
    mmarn_comm *comm = NULL;
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    mmarn_op *packed = NULL, *borrowed = NULL;
    mmarn_op_description a = MMARN_OP_DESCRIPTION_INIT, b = MMARN_OP_DESCRIPTION_INIT;
    assert_int_equal(mmarn_comm_create(NULL, &config, &comm), MMARN_OK);
    assert_int_equal(make(comm, MMARN_F16, 0, MMARN_F16, 0, &packed), MMARN_OK);
    assert_int_equal(make(comm, MMARN_F16, 0, 0, MMARN_BORROW_X2, &borrowed), MMARN_OK);
    assert_int_equal(mmarn_op_describe(packed, 1, &a), MMARN_OK);
    assert_int_equal(mmarn_op_describe(borrowed, 1, &b), MMARN_OK);
    assert_int_equal(a.weight_bytes, K * N * 2);
    assert_int_equal(b.weight_bytes, K * N * 2);
    assert_int_equal(a.owned_bytes - b.owned_bytes, K * N * 2 + N * 2);
    mmarn_op_destroy(packed);
    mmarn_op_destroy(borrowed);
    mmarn_comm_destroy(comm);
}

static void refusals(void **state)
{
    (void)state;
    mmarn_comm *comm = NULL;
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    mmarn_op *op = NULL;
    mmarn_op_description d = MMARN_OP_DESCRIPTION_INIT;
    assert_int_equal(mmarn_comm_create(NULL, &config, &comm), MMARN_OK);
    assert_int_equal(make(comm, MMARN_F16, 0, 0, 0, &op), MMARN_OK);
    assert_int_equal(mmarn_op_describe(NULL, 1, &d), MMARN_ERR_NULL);
    assert_int_equal(mmarn_op_describe(op, 1, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_op_describe(op, 0, &d), MMARN_ERR_ARGUMENT);
    assert_int_equal(mmarn_op_describe(op, INT64_MIN, &d), MMARN_ERR_ARGUMENT);
    assert_int_equal(mmarn_op_describe(op, INT64_MAX, &d), MMARN_ERR_ARGUMENT);
    assert_non_null(strstr(mmarn_last_error(), "rows is 9223372036854775807"));
    assert_string_equal(d.kernel, "");
    mmarn_op_destroy(op);
    mmarn_comm_destroy(comm);
}

static bool ranks(struct group_rank *rank, void *ctx)
{
    (void)ctx;
    mmarn_comm *comm = group_join(rank, 1);
    mmarn_op *op = NULL, *sharded = NULL;
    mmarn_op_description few = MMARN_OP_DESCRIPTION_INIT, many = MMARN_OP_DESCRIPTION_INIT, own = few;
    EXPECT_STATUS(make(comm, MMARN_F16, 0, 0, 0, &op), MMARN_OK);
    EXPECT_STATUS(make(comm, MMARN_F16, 0, 0, MMARN_SHARD_ROWS, &sharded), MMARN_OK);
    EXPECT_STATUS(mmarn_op_describe(op, 1, &few), MMARN_OK);
    EXPECT_STATUS(mmarn_op_describe(op, 100000, &many), MMARN_OK);
    EXPECT_STATUS(mmarn_op_describe(sharded, 100000, &own), MMARN_OK);
    EXPECT(strcmp(few.algorithm, "one-shot") == 0 && strstr(few.why, "320 elements"), "%s: %s", few.algorithm, few.why);
    EXPECT(strcmp(many.algorithm, "owner") == 0 && strstr(many.why, "32000000 elements"), "%s: %s", many.algorithm,
           many.why);
    EXPECT(strcmp(own.algorithm, "one-shot") == 0 && strstr(own.why, "own rows"), "%s: %s", own.algorithm, own.why);
    mmarn_op_destroy(op);
    mmarn_op_destroy(sharded);
    mmarn_comm_destroy(comm);
    return true;
}

static void algorithms(void **state)
{
    (void)state;
    assert_true(group_run(GROUP_THREADS, 3, ranks, NULL));
}

int main(void)
{
    memset(memory, 0x3C, sizeof memory);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels),
        cmocka_unit_test(memory_of_an_operator),
        cmocka_unit_test(refusals),
        cmocka_unit_test(algorithms),
    };
    return cmocka_run_group_tests_name("descriptions", tests, NULL, NULL);
}
