/* SPDX-License-Identifier: MIT */
/*
 * test_features.c - MMARN_CPU as a set of names: each allows its feature and those that the feature depends on, and
 * nothing else. Text that is not such a list forbids nothing, and causes a complaint. The variable is read once, so
 * each case is a process of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "support/ranks.h"

enum { COMPLAINS = 1u << 6 };
enum { TO_AVX512 = CPU_AVX2 | CPU_AVX512, TO_VNNI = TO_AVX512 | CPU_AVX512VNNI, TO_BF16 = TO_VNNI | CPU_AVX512BF16 };
enum { ALL = TO_BF16 };

static const struct {
    const char *text;
    unsigned allows; /* as far as the processor has them */
    bool complains;
} cases[] = {
    {NULL, ALL, false},
    {"", ALL, false},
    {"ref", 0, false},
    {"REF", 0, false},
    {"avx2", CPU_AVX2, false},
    {"Avx2", CPU_AVX2, false},
    {"avx512", TO_AVX512, false},
    {"avx512vnni", TO_VNNI, false},
    {"avx512bf16", TO_BF16, false},
    {"avx2,avx512", TO_AVX512, false},
    {"avx512bf16,avx2", TO_BF16, false},
    {"ref,avx2", CPU_AVX2, false},
    {"avx-512", ALL, true},
    {"avx", ALL, true},
    {"avx22", ALL, true},
    {"avx2,", ALL, true},
    {",avx2", ALL, true},
    {"avx2,,avx512", ALL, true},
    {"avx2 avx512", ALL, true},
    {"ref,none", ALL, true},
};

/* The features of a process with this value; its complaint must name the value. */
static unsigned found(const char *text)
{
    const pid_t child = fork();
    if (child == 0) {
        if (text)
            setenv("MMARN_CPU", text, 1);
        else
            unsetenv("MMARN_CPU");
        const unsigned features = cpu_features() & ALL;
        const char *complaint = cpu_complaint();
        const bool names_it = complaint && text && strstr(complaint, text);
        _exit((int)(features | (names_it ? COMPLAINS : 0)));
    }
    const int end = ranks_wait(child);
    assert_true(end >= 0);
    return (unsigned)end;
}

static void each_name_allows_what_it_stands_on(void **state)
{
    (void)state;
    const unsigned present = found(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const unsigned expected = (present & cases[i].allows) | (cases[i].complains ? COMPLAINS : 0);
        if (found(cases[i].text) != expected)
            fail_msg("MMARN_CPU=%s: %#x instead of %#x", cases[i].text ? cases[i].text : "(unset)",
                     found(cases[i].text), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_name_allows_what_it_stands_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
