/* SPDX-License-Identifier: MIT */
/*
 * test_op.c - the operator's values, to the bit, over dtypes, numerics modes, shapes, layouts and world sizes. The
 * first argument chooses whether ranks are processes or threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "op_case.h"

static enum group_mode mode = GROUP_PROCESSES;

/* Runs all cases with one number of threads in one group, one after another. */
static void check_cases(const struct op_case *cases, int count, int world_size)
{
    struct op_data data[32];
    assert_true(count <= 32);
    for (int i = 0; i < count; i++)
        op_data_make(&data[i], &cases[i], world_size);
    struct op_batch batch = {data, count, cases[0].threads};
    bool ok = group_run(mode, world_size, op_batch_run, &batch);
    for (int i = 0; i < count; i++)
        op_data_free(&data[i]);
    assert_true(ok);
}

static void check_worlds(const struct op_case *cases, int count)
{
    static const int worlds[] = {1, 2, 3, 4, 8};
    for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++)
        check_cases(cases, count, worlds[i]);
}

/* Every dtype in every mode, small enough for one shot and large enough for owned tiles. */
static void dtypes_and_modes(void **state)
{
    (void)state;
    struct op_case cases[18];
    int count = 0;
    for (int dtype = MMARN_F16; dtype <= MMARN_F32; dtype++)
        for (int numerics = 0; numerics < 3; numerics++)
            for (int large = 0; large < 2; large++)
                cases[count++] = (struct op_case){.dtype = dtype,
                                                  .numerics = numerics,
                                                  .b = 2,
                                                  .s = large ? 61 : 3,
                                                  .k = 37,
                                                  .n = large ? 523 : 130,
                                                  .threads = 1};
    check_worlds(cases, count);
}

/* 2-D and 3-D; packed, borrowed and in one call; both layouts of x2; bias; in place; k that differs between ranks. */
static void forms(void **state)
{
    (void)state;
    static const struct op_case cases[] = {
        {.dtype = MMARN_F16, .s = 1, .k = 256, .n = 96, .threads = 1},
        {.dtype = MMARN_F16, .s = 5, .k = 1, .n = 1, .threads = 1},
        {.dtype = MMARN_F16, .s = 9, .k = 33, .n = 17, .threads = 1, .call = OP_CASE_ONCE},
        {.dtype = MMARN_F16, .s = 9, .k = 33, .n = 17, .threads = 1, .call = OP_CASE_ONCE, .trans_x2 = true},
        {.dtype = MMARN_BF16, .s = 40, .k = 70, .n = 81, .threads = 1, .call = OP_CASE_BORROWED, .bias = true},
        {.dtype = MMARN_BF16, .s = 40, .k = 70, .n = 81, .threads = 1, .trans_x2 = true, .bias = true},
        {.dtype = MMARN_F32, .b = 3, .s = 2, .k = 20, .n = 64, .threads = 1, .in_place = true},
        {.dtype = MMARN_F32, .s = 7, .k = 5, .k_more = 4, .n = 33, .threads = 1, .bias = true, .bias_once = true},
        {.dtype = MMARN_F16, .s = 130, .k = 24, .n = 700, .threads = 1, .in_place = true, .trans_x2 = true},
        {.dtype = MMARN_F16, .s = 3, .k = 9, .n = 50, .threads = 1, .call = OP_CASE_PARTS},
        {.dtype = MMARN_BF16, .b = 2, .s = 50, .k = 9, .n = 1111, .threads = 1, .call = OP_CASE_PARTS},
        {.dtype = MMARN_BF16,
         .s = 6,
         .k = 9,
         .n = 50,
         .threads = 1,
         .call = OP_CASE_PARTS,
         .numerics = MMARN_NUMERICS_FP32,
         .in_place = true},
    };
    check_worlds(cases, sizeof cases / sizeof *cases);
}

/* Residual and gamma in fp32 with 16-bit inputs, in every mode and in all forms of the call. */
static void wide_operands(void **state)
{
    (void)state;
    struct op_case cases[32];
    int count = 0;
    for (int dtype = MMARN_F16; dtype <= MMARN_BF16; dtype++)
        for (int numerics = 0; numerics < 3; numerics++)
            for (int wide = 1; wide < 4; wide++) {
                cases[count] = (struct op_case){.dtype = dtype,
                                                .numerics = numerics,
                                                .wide_residual = wide & 1,
                                                .wide_gamma = wide & 2,
                                                .b = 2,
                                                .s = wide == 3 ? 61 : 3,
                                                .k = 37,
                                                .n = wide == 3 ? 523 : 130,
                                                .call = (enum op_case_call)((count + wide) % 4),
                                                .in_place = numerics == 1,
                                                .threads = 1};
                count++;
            }
    check_worlds(cases, count);
}

/* Rows whose squares overflow fp32, next to ordinary rows. */
static void huge_rows(void **state)
{
    (void)state;
    struct op_case cases[32];
    int count = 0;
    for (int dtype = MMARN_BF16; dtype <= MMARN_F32; dtype++)
        for (int numerics = 0; numerics < 3; numerics++)
            for (int huge = 60; huge <= 124; huge += 32)
                cases[count++] = (struct op_case){
                    .dtype = dtype, .numerics = numerics, .huge = huge, .s = 7, .k = 20, .n = 75, .threads = 1};
    for (int numerics = 0; numerics < 3; numerics++)
        cases[count++] = (struct op_case){.dtype = MMARN_F16,
                                          .numerics = numerics,
                                          .wide_residual = true,
                                          .huge = 100,
                                          .s = 40,
                                          .k = 20,
                                          .n = 610,
                                          .threads = 1};
    check_worlds(cases, count);
}

/* Long sums and long rows: several blocks over k, several tiles, rings that wrap around. */
static void long_axes(void **state)
{
    (void)state;
    static const struct op_case cases[] = {
        {.dtype = MMARN_F16, .s = 3, .k = 5000, .n = 70, .threads = 1},
        {.dtype = MMARN_F16, .s = 2, .k = 16, .n = 20000, .threads = 1},
        {.dtype = MMARN_BF16, .s = 700, .k = 8, .n = 600, .threads = 1},
        {.dtype = MMARN_F16, .s = 100, .k = 2100, .n = 40, .threads = 1, .call = OP_CASE_ONCE},
        {.dtype = MMARN_F32, .s = 1, .k = 520, .n = 70001, .threads = 1, .call = OP_CASE_ONCE},
    };
    static const int worlds[] = {1, 2, 4};
    for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++)
        check_cases(cases, sizeof cases / sizeof *cases, worlds[i]);
}

/* Several threads in a rank do not change the bits. */
static void threads(void **state)
{
    (void)state;
    for (int count = 2; count <= 5; count += 3) {
        struct op_case cases[] = {
            {.dtype = MMARN_F16, .s = 150, .k = 40, .n = 600, .threads = count},
            {.dtype = MMARN_F16, .s = 1, .k = 128, .n = 512, .threads = count, .bias = true},
            {.dtype = MMARN_BF16, .s = 33, .k = 12, .n = 90, .threads = count, .call = OP_CASE_ONCE},
            {.dtype = MMARN_F16, .s = 20, .k = 12, .n = 900, .threads = count, .call = OP_CASE_PARTS},
        };
        for (int world_size = 1; world_size <= 3; world_size++)
            check_cases(cases, sizeof cases / sizeof *cases, world_size);
    }
}

/* The largest group, with too few tiles for every rank to own one. */
static void sixty_four_ranks(void **state)
{
    (void)state;
    static const struct op_case cases[] = {
        {.dtype = MMARN_F16, .s = 2, .k = 8, .n = 48, .threads = 1},
        {.dtype = MMARN_F16, .s = 40, .k = 8, .n = 300, .threads = 1, .numerics = MMARN_NUMERICS_ASCEND},
    };
    check_cases(cases, sizeof cases / sizeof *cases, 64);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "threads") == 0)
        mode = GROUP_THREADS;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtypes_and_modes), cmocka_unit_test(forms),     cmocka_unit_test(wide_operands),
        cmocka_unit_test(huge_rows),        cmocka_unit_test(long_axes), cmocka_unit_test(threads),
        cmocka_unit_test(sixty_four_ranks),
    };
    return cmocka_run_group_tests_name(mode == GROUP_THREADS ? "op, ranks as threads" : "op, ranks as processes", tests,
                                       NULL, NULL);
}
