/* SPDX-License-Identifier: MIT */
/*
 * test_measure.c - the measuring tools (measure/): medians, binding to processors, JSON, ceilings, and workloads that
 * take turns. The test does not judge figures, only whether they are consistent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "measure/exit_status.h"
#include "measure/json.h"
#include "measure/machine.h"
#include "measure/median.h"
#include "measure/peak.h"
#include "measure/pin.h"
#include "measure/rounds.h"

static void the_middle_is_found(void **state)
{
    double odd[] = {5, 1, 4}, even[] = {8, 2, 6, 4}, one[] = {7};
    (void)state;
    assert_true(median_of(odd, 3) == 4);
    assert_true(median_of(even, 4) == 6);
    assert_true(median_of(one, 1) == 7);
    assert_true(even[0] == 2 && even[3] == 8);
}

static int processors(cpu_set_t *set)
{
    assert_int_equal(sched_getaffinity(0, sizeof(*set), set), 0);
    return CPU_COUNT(set);
}

static void a_thread_is_bound_to_its_own(void **state)
{
    cpu_set_t allowed, own, both;
    const int count = processors(&allowed);
    (void)state;

    for (int first = 0; first < count; first++) {
        pin_to(&allowed, first, 1);
        assert_int_equal(processors(&own), 1);
        CPU_AND(&both, &own, &allowed);
        assert_true(CPU_EQUAL(&both, &own));
        /* The number of processors before it must be its index. */
        int before = 0;
        for (int cpu = 0; !CPU_ISSET((size_t)cpu, &own); cpu++)
            before += CPU_ISSET((size_t)cpu, &allowed) != 0;
        assert_int_equal(before, first);
    }
    pin_to(&allowed, count, 1);
    assert_int_equal(processors(&own), 1); /* there is no such processor, so nothing was done */
    pin_to(&allowed, 0, count);
    processors(&own);
    assert_true(CPU_EQUAL(&own, &allowed));
}

static void json_is_written(void **state)
{
    char *text;
    size_t size;
    struct json json = {open_memstream(&text, &size), false};
    (void)state;

    assert_non_null(json.out);
    json_begin_object(&json, NULL);
    json_string(&json, "a\"b", "c\\d\n");
    json_begin_array(&json, "list");
    json_number(&json, NULL, 0.1234567);
    json_number(&json, NULL, (double)NAN);
    json_begin_object(&json, NULL);
    json_end_object(&json);
    json_end_array(&json);
    json_whole(&json, "whole", INT64_MIN);
    json_unsigned(&json, "unsigned", UINT64_MAX);
    json_bool(&json, "bool", false);
    json_end_object(&json);
    fclose(json.out);
    assert_string_equal(text, "{\"a\\\"b\": \"c\\\\d\\u000a\", \"list\": [0.123457, null, {}], "
                              "\"whole\": -9223372036854775808, \"unsigned\": 18446744073709551615, \"bool\": false}");
    free(text);
}

static void every_word_is_read(void **state)
{
    enum { WORDS = 4 * 8 * 3 };
    uint64_t words[WORDS], sum = 0;
    (void)state;

    for (int i = 0; i < WORDS; i++)
        sum += words[i] = UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)(i + 1);
    assert_true(peak_read(words, WORDS) == sum);
}

static void kinds_have_names(void **state)
{
    (void)state;
    for (int kind = 0; kind < PEAK_KINDS; kind++)
        assert_int_equal(peak_kind_of(peak_kind_names[kind]), kind);
    assert_int_equal(peak_kind_of("fp64"), PEAK_FP32);
}

static void ceilings_hang_together(void **state)
{
    struct peak peak;
    (void)state;

    assert_true(peak_measure(1, PEAK_MEMORY | PEAK_CACHE | PEAK_BRIEF, &peak));
    assert_int_equal(peak.workers, 1);
    assert_non_null(peak.rate[PEAK_FP32].level);
    assert_non_null(peak.rate[PEAK_INT8].level);
    for (int kind = 0; kind < PEAK_KINDS; kind++) {
        const struct peak_rate *rate = &peak.rate[kind];
        assert_true(rate->best_gflops >= rate->gflops);
        assert_int_equal(rate->gflops > 0, rate->level != NULL);
    }
    assert_true(peak.memory.gigabytes > 0 && peak.memory.best_gigabytes >= peak.memory.gigabytes);
    assert_int_equal(peak.cache.gigabytes > 0, machine_last_level_cache() > 0);
}

static void only_what_is_asked_for_is_measured(void **state)
{
    struct peak peak;
    (void)state;

    assert_true(peak_measure(MMARN_MAX_RANKS + 1, PEAK_BRIEF, &peak));
    assert_true(peak.workers <= cpu_count());
    assert_true(peak.rate[PEAK_FP32].gflops > 0);
    assert_true(peak.memory.best_gigabytes == 0 && peak.cache.best_gigabytes == 0);
}

static void workloads_take_turns(void **state)
{
    struct figures figures[2] = {0};
    (void)state;

    for (int i = 0; i < 2; i++) {
        figures[i].workload = (struct workload){.command = "test",
                                                .ranks = 2,
                                                .threads = 1,
                                                .b = 1,
                                                .s = 3,
                                                .k = 160,
                                                .n = 64,
                                                .dtype = i == 0 ? SCENARIO_F32 : SCENARIO_BF16_INT4,
                                                .operators = 1,
                                                .repeat = 2,
                                                .seed = 1};
        workload_usual_scales(&figures[i].workload);
    }
    assert_int_equal(rounds_run(figures, 2), EXIT_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(figures[i].result.repeat, 2 * ROUNDS);
        assert_true(figures[i].result.bits_equal);
        assert_true(figures[i].result.seconds > 0 && figures[i].result.matmul_seconds > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_middle_is_found),  cmocka_unit_test(a_thread_is_bound_to_its_own),
        cmocka_unit_test(json_is_written),      cmocka_unit_test(every_word_is_read),
        cmocka_unit_test(kinds_have_names),     cmocka_unit_test(ceilings_hang_together),
        cmocka_unit_test(workloads_take_turns), cmocka_unit_test(only_what_is_asked_for_is_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
