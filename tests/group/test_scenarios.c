/* SPDX-License-Identifier: MIT */
/*
 * test_scenarios.c - the values of the quantised scenarios, to the bit: every dtype, scale form and numerics mode from
 * a list, and random shapes, groups, strides and data. The first argument chooses whether ranks are processes or
 * threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "quant_case.h"
#include "reference/quantised.h"
#include "reference/random.h"
#include "support/inputs.h"

enum { MOST_CASES = 160 };

static enum group_mode mode = GROUP_PROCESSES;
static uint64_t stream;

static void check_cases(const struct quant_case *cases, int count, int world_size, int threads)
{
    struct quant_data_set *sets[MOST_CASES];
    assert_true(count <= MOST_CASES);
    for (int i = 0; i < count; i++)
        sets[i] = quant_data_make(&cases[i], world_size, ++stream);
    struct quant_batch batch = {sets, count, threads};
    bool ok = group_run(mode, world_size, quant_batch_run, &batch);
    for (int i = 0; i < count; i++)
        quant_data_free(sets[i]);
    assert_true(ok);
}

/* Output types and the scale types that they take. */
static const int32_t int8_forms[][2] = {{MMARN_F16, MMARN_U64},   {MMARN_F16, MMARN_I64},  {MMARN_F16, MMARN_F32},
                                        {MMARN_BF16, MMARN_BF16}, {MMARN_BF16, MMARN_F32}, {MMARN_F32, MMARN_F32}};
enum { INT8_FORMS = sizeof int8_forms / sizeof *int8_forms };

static void int8_list(void **state)
{
    (void)state;
    struct quant_case cases[MOST_CASES];
    int count = 0;
    for (int form = 0; form < INT8_FORMS; form++)
        for (int numerics = 0; numerics < 3; numerics++)
            for (int variant = 0; variant < 4; variant++)
                cases[count++] = (struct quant_case){
                    .x_dtype = MMARN_I8,
                    .x2_dtype = MMARN_I8,
                    .out_dtype = int8_forms[form][0],
                    .scale_dtype = int8_forms[form][1],
                    .numerics = numerics,
                    .rows = variant == 3 ? 101 : 2 + variant,
                    .k = 67 + variant,
                    .n = variant == 3 ? 300 : 35,
                    .scale = variant % 2 ? QUANT_PER_TENSOR : QUANT_PER_CHANNEL,
                    .call = variant == 1   ? QUANT_ONCE
                            : variant == 2 ? QUANT_BORROWED
                                           : QUANT_PACKED,
                    .bias = variant < 2,
                    .trans_x2 = variant >= 2,
                    .per_token = variant == 2 || variant == 3,
                    .wide_residual = variant == 1,
                    .wide_gamma = variant == 2,
                };
    check_cases(cases, count, 1, 1);
    check_cases(cases, count, 3, 1);
    check_cases(cases, count, 2, 2);
}

static void weights_list(void **state)
{
    (void)state;
    struct quant_case cases[MOST_CASES];
    int count = 0;
    for (int dtype = MMARN_F16; dtype <= MMARN_F32; dtype++)
        for (int x2 = MMARN_I8; x2 <= MMARN_I4; x2++)
            for (int scale = QUANT_PER_TENSOR; scale <= QUANT_PER_GROUP; scale++)
                for (int variant = 0; variant < 4; variant++)
                    cases[count++] = (struct quant_case){
                        .x_dtype = dtype,
                        .x2_dtype = x2,
                        .out_dtype = dtype,
                        .numerics = (variant + scale) % 3,
                        .rows = variant == 3 ? 110 : 1 + 3 * variant,
                        .k = 90 + 2 * variant,
                        .n = variant == 3 ? 290 : 34,
                        .group = scale == QUANT_PER_GROUP ? 32 + 32 * (variant % 2) : 0,
                        .scale = (enum quant_scale)scale,
                        .call = variant == 1   ? QUANT_ONCE
                                : variant == 2 ? QUANT_BORROWED
                                               : QUANT_PACKED,
                        .offset = variant % 2,
                        .bias = variant > 1,
                        .trans_x2 = variant >= 2,
                        .strided_scale = variant == 2,
                        .wide_residual = variant % 3 == 1,
                        .wide_gamma = (variant + scale) % 3 == 0,
                    };
    check_cases(cases, count, 1, 1);
    check_cases(cases, count, 3, 1);
    check_cases(cases, count, 2, 2);
}

/* Sums at the ends of int32's range: every allowed k is exact. */
static void extreme_sums(void **state)
{
    (void)state;
    static const struct quant_case cases[] = {
        {.x_dtype = MMARN_I8,
         .x2_dtype = MMARN_I8,
         .out_dtype = MMARN_F32,
         .scale_dtype = MMARN_F32,
         .rows = 2,
         .k = 131071,
         .n = 19,
         .scale = QUANT_PER_CHANNEL,
         .data = QUANT_EXTREME},
        {.x_dtype = MMARN_I8,
         .x2_dtype = MMARN_I8,
         .out_dtype = MMARN_F32,
         .scale_dtype = MMARN_F32,
         .rows = 13,
         .k = 65535,
         .n = 40,
         .scale = QUANT_PER_CHANNEL,
         .data = QUANT_EXTREME,
         .trans_x2 = true},
        {.x_dtype = MMARN_I8,
         .x2_dtype = MMARN_I8,
         .out_dtype = MMARN_F16,
         .scale_dtype = MMARN_U64,
         .rows = 100,
         .k = 3001,
         .n = 70,
         .scale = QUANT_PER_CHANNEL,
         .data = QUANT_EXTREME,
         .call = QUANT_ONCE},
    };
    check_cases(cases, sizeof cases / sizeof *cases, 2, 1);
}

static struct quant_case random_case(uint64_t *state)
{
    struct quant_case c = {0};
    const bool int8 = inputs_between(state, 0, 2) == 0;
    const int form = (int)inputs_between(state, 0, INT8_FORMS - 1);
    c.x_dtype = int8 ? MMARN_I8 : (int32_t)inputs_between(state, MMARN_F16, MMARN_F32);
    c.x2_dtype = int8 ? MMARN_I8 : (int32_t)inputs_between(state, MMARN_I8, MMARN_I4);
    c.out_dtype = int8 ? int8_forms[form][0] : c.x_dtype;
    c.scale_dtype = int8 ? int8_forms[form][1] : 0;
    c.numerics = (int32_t)inputs_between(state, 0, 2);
    c.rows = inputs_between(state, 1, inputs_between(state, 0, 3) ? 20 : 140);
    c.k = inputs_between(state, 1, 300);
    c.n = inputs_between(state, 1, 200);
    c.scale = (enum quant_scale)inputs_between(state, 0, int8 ? 1 : 2);
    if (c.scale == QUANT_PER_GROUP) {
        c.k += 33;
        c.group = 32 * inputs_between(state, 1, (c.k - 1) / 32);
    }
    c.call = (enum quant_call)inputs_between(state, 0, 2);
    c.data = (enum quant_data)inputs_between(state, 0, 2);
    c.offset = !int8 && inputs_between(state, 0, 1);
    c.bias = inputs_between(state, 0, 1);
    c.trans_x2 = inputs_between(state, 0, 1);
    c.wide_residual = inputs_between(state, 0, 3) == 0;
    c.wide_gamma = inputs_between(state, 0, 3) == 0;
    c.per_token = int8 && c.call != QUANT_ONCE && inputs_between(state, 0, 1);
    c.strided_scale = inputs_between(state, 0, 1);
    if (c.x2_dtype == MMARN_I4) {
        c.k += (c.trans_x2 || c.n == 1) && c.k % 2;
        c.n += !c.trans_x2 && c.n > 1 && c.n % 2;
    }
    return c;
}

static void at_random(void **state)
{
    (void)state;
    struct quant_case cases[100];
    uint64_t choices = test_seed();
    for (int world_size = 1; world_size <= 4; world_size++) {
        for (int i = 0; i < 100; i++)
            cases[i] = random_case(&choices);
        check_cases(cases, 100, world_size, 1 + world_size % 2);
    }
}

/* The words that the original's own encoder gives, and their decoding. */
static void quantisation_words(void **state)
{
    (void)state;
    static const struct {
        uint32_t scale;
        uint64_t truncated, rounded;
    } lines[] = {
        {0x3F800000, 0x000040003F800000, 0x000040003F800000}, {0x3DCCCCCD, 0x000040003DCCC000, 0x000040003DCCC000},
        {0x3E99999A, 0x000040003E998000, 0x000040003E99A000}, {0xBCA3D70A, 0x00004000BCA3C000, 0x00004000BCA3E000},
        {0x3F801000, 0x000040003F800000, 0x000040003F800000}, {0x3F801001, 0x000040003F800000, 0x000040003F802000},
        {0x3F803000, 0x000040003F802000, 0x000040003F804000}, {0x3FFFF000, 0x000040003FFFE000, 0x0000400040000000},
        {0x7F7FFFFF, 0x000040007F7FE000, 0x000040007F800000}, {0x000116C2, 0x0000400000010000, 0x0000400000000000},
    };
    static const float offsets[] = {-3, 2.5F, 3.5F, 300, -300};
    static const uint64_t with_offset[] = {0x00007FA03F800000, 0x000040403F800000, 0x000040803F800000,
                                           0x00005FE03F800000, 0x000060003F800000};
    const float one = 1;
    uint64_t words[5];
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        float scale;
        memcpy(&scale, &lines[i].scale, sizeof scale);
        assert_int_equal(mmarn_trans_quant_param(&scale, 1, NULL, 0, 0, &words[0]), MMARN_OK);
        assert_int_equal(mmarn_trans_quant_param(&scale, 1, NULL, 0, 1, &words[1]), MMARN_OK);
        assert_int_equal(words[0], lines[i].truncated);
        assert_int_equal(words[1], lines[i].rounded);
    }
    for (int round_mode = 0; round_mode < 2; round_mode++) {
        assert_int_equal(mmarn_trans_quant_param(&one, 1, offsets, 5, round_mode, words), MMARN_OK);
        assert_memory_equal(words, with_offset, sizeof words);
    }
    for (uint64_t i = 0; i < 100000; i++) {
        uint32_t bits = (uint32_t)random_word(random_key(test_seed(), 7), i);
        float scale, offset = (float)((int32_t)(bits >> 3) % 600);
        memcpy(&scale, &bits, sizeof scale);
        for (int round_mode = 0; round_mode < 2; round_mode++) {
            assert_int_equal(mmarn_trans_quant_param(&scale, 1, &offset, 1, round_mode, words), MMARN_OK);
            assert_int_equal(words[0], quantised_word(scale, offset, round_mode));
        }
    }
}

static void quantisation_word_arguments(void **state)
{
    (void)state;
    const float values[3] = {1, 2, 3};
    uint64_t words[3] = {7, 7, 7};
    assert_int_equal(mmarn_trans_quant_param(NULL, 1, NULL, 0, 0, words), MMARN_ERR_NULL);
    assert_int_equal(mmarn_trans_quant_param(values, 1, NULL, 0, 0, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_trans_quant_param(values, 0, NULL, 0, 0, words), MMARN_ERR_ARGUMENT);
    assert_int_equal(mmarn_trans_quant_param(values, 3, values, 2, 0, words), MMARN_ERR_ARGUMENT);
    assert_int_equal(mmarn_trans_quant_param(values, 3, NULL, 2, 0, words), MMARN_ERR_ARGUMENT);
    assert_int_equal(mmarn_trans_quant_param(values, 3, NULL, 0, 2, words), MMARN_ERR_ARGUMENT);
    assert_non_null(strstr(mmarn_last_error(), "round_mode must be 0 or 1 but is 2"));
    assert_int_equal(words[0], 7);
    assert_int_equal(mmarn_trans_quant_param(values, 3, values, 1, 0, words), MMARN_OK);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "threads") == 0)
        mode = GROUP_THREADS;
    test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantisation_words), cmocka_unit_test(quantisation_word_arguments),
        cmocka_unit_test(int8_list),          cmocka_unit_test(weights_list),
        cmocka_unit_test(extreme_sums),       cmocka_unit_test(at_random),
    };
    return cmocka_run_group_tests_name(mode == GROUP_THREADS ? "quantised, threads" : "quantised, processes", tests,
                                       NULL, NULL);
}
