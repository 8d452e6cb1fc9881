/* SPDX-License-Identifier: MIT */
/*
 * test_float_env.c - a rank whose thread has another floating-point environment than its peers: the outputs have the
 * same bits as without it, the caller's threads keep their environment, and nothing traps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "op_case.h"
#include "quant_case.h"

enum { RANKS = 2, MOST_CASES = 200 };

/* Every environment, on one rank of two, with one thread or two in each. Data are made once for all environments. */
static void check_floats(struct op_case *cases, int count)
{
    struct op_data data[MOST_CASES];
    assert_true(count <= MOST_CASES);
    for (int i = 0; i < count; i++)
        op_data_make(&data[i], &cases[i], RANKS);
    bool ok = true;
    for (int threads = 1; threads <= 2; threads++)
        for (int env = 0; env < ODD_ENVS; env++) {
            for (int i = 0; i < count; i++) {
                cases[i].env = (enum odd_env)env;
                cases[i].threads = threads;
            }
            struct op_batch batch = {data, count, threads};
            ok &= group_run(GROUP_THREADS, RANKS, op_batch_run, &batch);
        }
    for (int i = 0; i < count; i++)
        op_data_free(&data[i]);
    assert_true(ok);
}

/* Small ones, summed by every rank, and others with tile owners; all forms of the call. */
static void floats(void **state)
{
    (void)state;
    struct op_case cases[MOST_CASES];
    int count = 0;
    for (int dtype = MMARN_F16; dtype <= MMARN_F32; dtype++)
        for (int numerics = 0; numerics < 3; numerics++)
            for (int variant = 0; variant < 4; variant++)
                cases[count++] = (struct op_case){
                    .dtype = dtype,
                    .numerics = numerics,
                    .s = variant % 2 ? 61 : 3,
                    .k = 20,
                    .n = variant % 2 ? 290 : 66,
                    .call = (enum op_case_call)((variant + numerics) % 4),
                    .bias = variant % 2,
                    .tiny = variant < 3,
                };
    check_floats(cases, count);
}

static void quantised(void **state)
{
    (void)state;
    struct quant_case cases[MOST_CASES];
    int count = 0;
    for (int out = MMARN_F16; out <= MMARN_F32; out++)
        for (int x2 = MMARN_I8; x2 <= MMARN_I4; x2++)
            for (int variant = 0; variant < 4; variant++) {
                const bool int8 = variant == 3 && x2 == MMARN_I8;
                cases[count++] = (struct quant_case){
                    .x_dtype = int8 ? MMARN_I8 : out,
                    .x2_dtype = x2,
                    .out_dtype = out,
                    .scale_dtype = out == MMARN_F16 ? MMARN_U64 : out,
                    .numerics = variant % 3,
                    .rows = variant % 2 ? 40 : 3,
                    .k = 40,
                    .n = 70,
                    .scale = QUANT_PER_CHANNEL,
                    .call = (enum quant_call)(variant % 3),
                    .data = variant == 2 ? QUANT_HOSTILE : QUANT_TINY,
                    .offset = !int8 && variant % 2,
                    .per_token = int8,
                };
            }
    for (int threads = 1; threads <= 2; threads++)
        for (int env = 0; env < ODD_ENVS; env++) {
            struct quant_data_set *sets[MOST_CASES];
            for (int i = 0; i < count; i++) {
                cases[i].env = (enum odd_env)env;
                cases[i].threads = threads;
                sets[i] = quant_data_make(&cases[i], RANKS, (uint64_t)i);
            }
            struct quant_batch batch = {sets, count, threads};
            const bool ok = group_run(GROUP_THREADS, RANKS, quant_batch_run, &batch);
            for (int i = 0; i < count; i++)
                quant_data_free(sets[i]);
            assert_true(ok);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats),
        cmocka_unit_test(quantised),
    };
    return cmocka_run_group_tests_name("the caller's floating-point environment", tests, NULL, NULL);
}
