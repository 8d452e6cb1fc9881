/* error.c - the calling thread's last sentence, and the process's logger. */
#include "base/error.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/float_env.h"

static _Thread_local char sentence[ERROR_SENTENCE_SIZE];
static _Thread_local int32_t code;

/* Those of npu_mm_all_reduce_add_rms_norm, by mmarn_last_code. */
enum { CODE_NULL = 161001, CODE_ARGUMENT = 561002, CODE_INTERNAL = 561000 };

/* The logger and its context change together, so they share a lock rather than two atomics. */
static pthread_mutex_t logger_lock = PTHREAD_MUTEX_INITIALIZER;
static mmarn_log_fn logger;
static void *logger_ctx;

static void log_sentence(mmarn_status status, const char *text)
{
    pthread_mutex_lock(&logger_lock);
    mmarn_log_fn fn = logger;
    void *ctx = logger_ctx;
    pthread_mutex_unlock(&logger_lock);
    if (fn) {
        const struct float_env inside = float_env_go_out();
        fn(ctx, status, text);
        float_env_come_back(&inside);
    }
}

static mmarn_status tell(mmarn_status status)
{
    code = status == MMARN_ERR_NULL                                          ? CODE_NULL
           : status == MMARN_ERR_ARGUMENT || status == MMARN_ERR_UNSUPPORTED ? CODE_ARGUMENT
                                                                             : CODE_INTERNAL;
    log_sentence(status, sentence);
    return status;
}

void error_note(const char *format, ...)
{
    char text[ERROR_SENTENCE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_sentence(MMARN_OK, text);
}

mmarn_status error_set(mmarn_status status, const char *format, ...)
{
    /* A sentence may be built from the last one, so it is written beside it first. */
    char text[ERROR_SENTENCE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(sentence, text, sizeof text);
    return tell(status);
}

mmarn_status error_errno(const char *format, ...)
{
    int number = errno;
    char reason[128];
    char text[ERROR_SENTENCE_SIZE - sizeof reason - 2];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(sentence, sizeof sentence, "%s: %s", text, strerror_r(number, reason, sizeof reason));
    return tell(number == ENOMEM ? MMARN_ERR_MEMORY : MMARN_ERR_SYSTEM);
}

const char *error_last(void)
{
    return sentence;
}

int32_t error_code(void)
{
    return code;
}

void error_recode(int32_t better)
{
    code = better;
}

void error_adopt(const char *text)
{
    snprintf(sentence, sizeof sentence, "%s", text);
}

void error_set_logger(mmarn_log_fn fn, void *ctx)
{
    pthread_mutex_lock(&logger_lock);
    logger = fn;
    logger_ctx = ctx;
    pthread_mutex_unlock(&logger_lock);
}
