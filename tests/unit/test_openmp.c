/* SPDX-License-Identifier: MIT */
/* test_openmp.c - OpenMP's variables, well-formed and not, and the places that they name within a mask. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/openmp.h"

/* The variables of a case: name, text, name, text, ..., NULL. */
static const char *const *given;

static const char *get(const char *name)
{
    for (const char *const *at = given; *at; at += 2)
        if (strcmp(at[0], name) == 0)
            return at[1];
    return NULL;
}

#define READ(...) (given = (const char *const[]){__VA_ARGS__, NULL}, openmp_read(get))

static struct affinity mask_of(const int *processors, int count)
{
    struct affinity mask = {0};
    for (int i = 0; i < count; i++)
        affinity_add(&mask, processors[i]);
    return mask;
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int number, limit;
    } cases[] = {{"1", 1, 1},   {"8", 8, 8},        {" 12 ", 12, 12},
                 {"4,2", 4, 0}, {" 3 , 2,1", 3, 0}, {"0", 0, 0},
                 {"", 0, 0},    {"-1", 0, 0},       {"+2", 0, 0},
                 {"4x", 0, 0},  {"4,", 0, 0},       {",4", 0, 0},
                 {"4 2", 0, 0}, {"4,0", 0, 0},      {"4,two", 0, 0},
                 {"2.5", 0, 0}, {"0x4", 0, 0},      {"99999999999999999999", INT_MAX, INT_MAX}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct openmp variables = READ("OMP_NUM_THREADS", cases[i].text, "OMP_THREAD_LIMIT", cases[i].text);
        assert_int_equal(variables.num_threads, cases[i].number);
        assert_int_equal(variables.thread_limit, cases[i].limit);
        assert_int_equal(variables.bind, OPENMP_FREE);
    }
    given = (const char *const[]){NULL};
    assert_int_equal(openmp_read(get).num_threads, 0);
}

static void binding(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum openmp_bind alone, with_places;
    } cases[] = {{"false", OPENMP_FREE, OPENMP_FREE},
                 {"FALSE", OPENMP_FREE, OPENMP_FREE},
                 {"true", OPENMP_CLOSE, OPENMP_CLOSE},
                 {" True ", OPENMP_CLOSE, OPENMP_CLOSE},
                 {"close", OPENMP_CLOSE, OPENMP_CLOSE},
                 {"spread,close", OPENMP_SPREAD, OPENMP_SPREAD},
                 {"primary", OPENMP_PRIMARY, OPENMP_PRIMARY},
                 {"master", OPENMP_PRIMARY, OPENMP_PRIMARY},
                 /* not well-formed, so not set */
                 {"", OPENMP_FREE, OPENMP_CLOSE},
                 {"1", OPENMP_FREE, OPENMP_CLOSE},
                 {"closer", OPENMP_FREE, OPENMP_CLOSE},
                 {"spread,", OPENMP_FREE, OPENMP_CLOSE},
                 {"true,close", OPENMP_FREE, OPENMP_CLOSE},
                 {"close,false", OPENMP_FREE, OPENMP_CLOSE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(READ("OMP_PROC_BIND", cases[i].text).bind, cases[i].alone);
        assert_int_equal(READ("OMP_PROC_BIND", cases[i].text, "OMP_PLACES", "{0}").bind, cases[i].with_places);
        assert_int_equal(READ("OMP_PROC_BIND", cases[i].text, "GOMP_CPU_AFFINITY", "0").bind, cases[i].with_places);
    }
}

/* The places as "0,1|2,3"; "" if there are none. */
static void write_places(const struct openmp_places *places, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < places->count; i++) {
        const char *between = i > 0 ? "|" : "";
        for (int j = 0; j < AFFINITY_PROCESSORS; j++)
            if (affinity_has(&places->masks[i], j) && used < size) {
                used += (size_t)snprintf(text + used, size - used, "%s%d", between, j);
                between = ",";
            }
    }
}

static void places(void **state)
{
    (void)state;
    static const int processors[] = {0, 1, 2, 3, 5, 8, 9, 8191};
    const struct affinity mask = mask_of(processors, sizeof processors / sizeof *processors);
    static const struct {
        const char *name, *text, *expected;
    } cases[] = {{"OMP_PLACES", "threads", "0|1|2|3|5|8|9|8191"},
                 {"OMP_PLACES", " THREADS (3)", "0|1|2"},
                 {"OMP_PLACES", "threads(99999999999)", "0|1|2|3|5|8|9|8191"},
                 {"OMP_PLACES", "{0},{1}", "0|1"},
                 {"OMP_PLACES", " { 3 , 0 } , { 5 } ", "0,3|5"},
                 {"OMP_PLACES", "{0:4}", "0,1,2,3"},
                 {"OMP_PLACES", "{0:4:2},{9}", "0,2|9"},
                 {"OMP_PLACES", "{3:2:-2}", "1,3"},
                 {"OMP_PLACES", "{0,1}:2:2", "0,1|2,3"},
                 {"OMP_PLACES", "{0:2}:3:4", "0,1|5|8,9"},
                 {"OMP_PLACES", "{8}:3:-4", "8|0"}, /* 4 is not in the mask */
                 {"OMP_PLACES", "{8191}:2", "8191"},
                 {"OMP_PLACES", "{4},{6,7},{9}", "9"},
                 {"OMP_PLACES", "{0}:2147483647:0", "0"},
                 {"OMP_PLACES", "{0:2147483647:0}", "0"},
                 {"OMP_PLACES", "{2147483647:3:2147483647}", ""},
                 {"OMP_PLACES", "{4},{6}", ""},
                 {"GOMP_CPU_AFFINITY", "3", "3"},
                 {"GOMP_CPU_AFFINITY", "3 1,2", "3|1|2"},
                 {"GOMP_CPU_AFFINITY", "0-3", "0|1|2|3"},
                 {"GOMP_CPU_AFFINITY", "0-9:4 5", "0|8|5"},
                 {"GOMP_CPU_AFFINITY", "0-2147483647:2147483647", "0"},
                 /* not well-formed: bound by OMP_PROC_BIND, to each processor separately */
                 {"OMP_PLACES", "", "0|1|2|3|5|8|9|8191"},
                 {"OMP_PLACES", "numa_domains", "0|1|2|3|5|8|9|8191"},
                 {"OMP_PLACES", "threads(0)", "0|1|2|3|5|8|9|8191"},
                 {"OMP_PLACES", "threads(2", "0|1|2|3|5|8|9|8191"},
                 {"OMP_PLACES", "threads 2", "0|1|2|3|5|8|9|8191"},
                 {"OMP_PLACES", "{0", "0|1|2|3|5|8|9|8191"},
                 {"OMP_PLACES", "{0},", "0|1|2|3|5|8|9|8191"},
                 {"OMP_PLACES", "{}", "0|1|2|3|5|8|9|8191"},
                 {"OMP_PLACES", "{0:0}", "0|1|2|3|5|8|9|8191"},
                 {"OMP_PLACES", "{0:1:}", "0|1|2|3|5|8|9|8191"},
                 {"OMP_PLACES", "{0},!{1}", "0|1|2|3|5|8|9|8191"},
                 {"GOMP_CPU_AFFINITY", "3-1", "0|1|2|3|5|8|9|8191"},
                 {"GOMP_CPU_AFFINITY", "0-3:0", "0|1|2|3|5|8|9|8191"},
                 {"GOMP_CPU_AFFINITY", "0 x", "0|1|2|3|5|8|9|8191"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        const struct openmp variables = READ(cases[i].name, cases[i].text, "OMP_PROC_BIND", "true");
        struct openmp_places found = openmp_places_within(&variables, &mask);
        write_places(&found, text, sizeof text);
        assert_string_equal(text, cases[i].expected);
        openmp_places_free(&found);
    }
    const struct openmp both = READ("OMP_PLACES", "{1}", "GOMP_CPU_AFFINITY", "2");
    struct openmp_places found = openmp_places_within(&both, &mask);
    assert_int_equal(found.count, 1);
    assert_true(affinity_has(&found.masks[0], 1));
    openmp_places_free(&found);
    const struct openmp bound = READ("OMP_PLACES", "{1}", "OMP_PROC_BIND", "false");
    assert_int_equal(openmp_places_within(&bound, &mask).count, 0);
}

/* True of any machine: each processor is in one core and in one socket, and no core is in two sockets. */
static void kinds(void **state)
{
    (void)state;
    struct affinity mask;
    assert_true(affinity_get(&mask));
    const struct openmp by_core = READ("OMP_PLACES", "cores"), by_socket = READ("OMP_PLACES", "Sockets");
    struct openmp_places cores = openmp_places_within(&by_core, &mask);
    struct openmp_places sockets = openmp_places_within(&by_socket, &mask);
    const struct openmp_places *kind[] = {&cores, &sockets};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < AFFINITY_PROCESSORS; i++) {
            int times = 0;
            for (int j = 0; j < kind[k]->count; j++)
                times += affinity_has(&kind[k]->masks[j], i);
            assert_int_equal(times, affinity_has(&mask, i));
        }
    assert_true(sockets.count >= 1 && sockets.count <= cores.count);
    openmp_places_free(&cores);
    openmp_places_free(&sockets);
}

static void threads_have_places(void **state)
{
    (void)state;
    static const int processors[] = {0, 1, 2, 3, 4, 5, 6, 7};
    const struct affinity mask = mask_of(processors, 8);
    static const struct {
        const char *bind;
        int threads, expected[10];
    } cases[] = {{"close", 1, {0}},        {"close", 4, {0, 1, 2, 3}},  {"close", 10, {0, 0, 1, 2, 3, 4, 4, 5, 6, 7}},
                 {"spread", 2, {0, 4}},    {"spread", 4, {0, 2, 4, 6}}, {"spread", 8, {0, 1, 2, 3, 4, 5, 6, 7}},
                 {"primary", 3, {0, 0, 0}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct openmp variables = READ("OMP_PROC_BIND", cases[i].bind);
        struct openmp_places found = openmp_places_within(&variables, &mask);
        for (int thread = 0; thread < cases[i].threads; thread++)
            assert_true(
                affinity_has(openmp_place(&variables, &found, thread, cases[i].threads), cases[i].expected[thread]));
        openmp_places_free(&found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(binding), cmocka_unit_test(places),
                                       cmocka_unit_test(kinds), cmocka_unit_test(threads_have_places)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
