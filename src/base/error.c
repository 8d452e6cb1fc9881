/* SPDX-License-Identifier: MIT */
/* error.c - filling in errors, and the process's logger. */
#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/float_env.h"

bool error_fail(struct error *error, mmarn_status status, const char *format, ...)
{
    va_list args;
    assert(status != MMARN_OK);
    error->status = status;
    error->code = 0;
    va_start(args, format);
    vsnprintf(error->sentence, sizeof error->sentence, format, args);
    va_end(args);
    return false;
}

bool error_fail_errno(struct error *error, const char *format, ...)
{
    const int number = errno;
    char reason[128];
    char text[ERROR_SENTENCE_SIZE - sizeof reason - 2];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return error_fail(error, number == ENOMEM ? MMARN_ERR_MEMORY : MMARN_ERR_SYSTEM, "%s: %s", text,
                      strerror_r(number, reason, sizeof reason));
}

/* -------------------------------------------------------------------------------------------------------- logger */

/* The logger and its context change together, so they share a lock rather than two atomics. */
static pthread_mutex_t logger_lock = PTHREAD_MUTEX_INITIALIZER;
static mmarn_log_fn logger;
static void *logger_ctx;

static void log_sentence(mmarn_status status, const char *sentence)
{
    pthread_mutex_lock(&logger_lock);
    mmarn_log_fn fn = logger;
    void *ctx = logger_ctx;
    pthread_mutex_unlock(&logger_lock);
    if (fn) {
        const struct float_env inside = float_env_go_out();
        fn(ctx, status, sentence);
        float_env_come_back(&inside);
    }
}

void error_log(const struct error *error)
{
    log_sentence(error->status, error->sentence);
}

void error_note(const char *format, ...)
{
    char sentence[ERROR_SENTENCE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    log_sentence(MMARN_OK, sentence);
}

void error_set_logger(mmarn_log_fn fn, void *ctx)
{
    pthread_mutex_lock(&logger_lock);
    logger = fn;
    logger_ctx = ctx;
    pthread_mutex_unlock(&logger_lock);
}
