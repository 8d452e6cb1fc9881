/* SPDX-License-Identifier: MIT */
/*
 * error.h - a failure is a value. Who decides that something is wrong fills in the struct error that its caller handed
 * down, and returns false; callers pass both on, up to the public function, which keeps the error for
 * mmarn_last_error. Where nothing fails, nobody touches the struct.
 */
#ifndef MMARN_BASE_ERROR_H
#define MMARN_BASE_ERROR_H

#include <stdbool.h>

#include "base/arithmetic.h"
#include "mmarn/mmarn_types.h"

/* Longest sentence kept, with its terminating zero. */
enum { ERROR_SENTENCE_SIZE = 512 };

struct error {
    mmarn_status status; /* not MMARN_OK */
    int32_t code;        /* a number that says more than the status, for callers that know it; or 0 */
    char sentence[ERROR_SENTENCE_SIZE];
};

/* Fills in *error, with code 0. Always false, so that a check can end with `return error_fail(...)`. */
bool error_fail(struct error *error, mmarn_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_fail, with ": " and the text of errno at the end. The status is MMARN_ERR_SYSTEM, but MMARN_ERR_MEMORY for
   ENOMEM. */
bool error_fail_errno(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Tells the logger of a failure. */
void error_log(const struct error *error);

/* Tells the logger of what is no failure. */
void error_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

void error_set_logger(mmarn_log_fn fn, void *ctx);

#endif
