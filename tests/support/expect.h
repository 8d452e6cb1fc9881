/* SPDX-License-Identifier: MIT */
/*
 * expect.h - how ranks report failures. cmocka's assertions jump, and belong to the test's own thread; a rank is
 * another thread or process. A failure is printed at once, with the rank's name, and counted in memory that forked
 * processes share with the test.
 */
#ifndef MMARN_TESTS_EXPECT_H
#define MMARN_TESTS_EXPECT_H

#include <stdbool.h>

#include "mmarn/mmarn.h"

/* Prints and counts a failure. Returns false. */
bool expect_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The failures of this program so far, its forked children's included. */
int expect_failures(void);

/* What to call the calling thread in failures; shorter than 32 characters. */
void expect_name(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Returns false from the enclosing function if the condition does not hold. */
#define EXPECT(condition, ...)                                                                                         \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            return expect_fail(__VA_ARGS__);                                                                           \
    } while (0)

/* The call must return the status; if it does not, the error's sentence is shown. */
#define EXPECT_STATUS(call, expected)                                                                                  \
    do {                                                                                                               \
        mmarn_status got = (call);                                                                                     \
        if (got != (expected))                                                                                         \
            return expect_fail("%s:%d: %s (%s) instead of %s", __FILE__, __LINE__, mmarn_status_string(got),           \
                               mmarn_last_error(), mmarn_status_string(expected));                                     \
    } while (0)

#endif
