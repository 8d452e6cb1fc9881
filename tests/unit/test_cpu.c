/* SPDX-License-Identifier: MIT */
/* test_cpu.c - moves a thread off a processor: the thread goes, and its affinity mask stays the same. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cpu.h"

static void a_thread_leaves_its_processor(void **state)
{
    (void)state;
    cpu_set_t before, after;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    if (cpu_count() < 2)
        skip();
    int stayed = 0;
    for (int i = 0; i < 100; i++) {
        const int here = cpu_current();
        cpu_avoid(&here, 1);
        /* The system may put it back at any time, but not always. */
        stayed += cpu_current() == here;
        assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
        assert_true(CPU_EQUAL(&before, &after));
    }
    assert_true(stayed < 50);
}

static void a_thread_with_nowhere_to_go_stays(void **state)
{
    (void)state;
    cpu_set_t before, one, after;
    int all[CPU_SETSIZE];
    for (int i = 0; i < CPU_SETSIZE; i++)
        all[i] = i;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    cpu_avoid(all, CPU_SETSIZE);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));

    const int here = cpu_current(), unknown = -1;
    CPU_ZERO(&one);
    CPU_SET((size_t)here, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    cpu_avoid(&here, 1);
    cpu_avoid(&unknown, 1);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&one, &after));
    assert_int_equal(cpu_current(), here);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_thread_leaves_its_processor),
                                       cmocka_unit_test(a_thread_with_nowhere_to_go_stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
