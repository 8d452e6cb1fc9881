/*
 * error.h - one failure, one sentence: whoever decides that something is wrong writes it here and returns the status;
 * callers only pass the status on.
 */
#ifndef MMARN_BASE_ERROR_H
#define MMARN_BASE_ERROR_H

#include "base/arithmetic.h"
#include "mmarn/mmarn_types.h"

/* Longest sentence kept, with its terminating zero. */
enum { ERROR_SENTENCE_SIZE = 512 };

/* Records the calling thread's sentence, tells the logger, returns status. */
mmarn_status error_set(mmarn_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As error_set, with ": " and the text of errno at the end. Always MMARN_ERR_SYSTEM, but MMARN_ERR_MEMORY for ENOMEM.
 */
mmarn_status error_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Tells the logger of what is no failure; nothing is recorded. */
void error_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The calling thread's last sentence, "" when there was none. */
const char *error_last(void);

/*
 * The original's code (mmarn_ascend.h) of the calling thread's last failure: what its status implies, until a caller
 * that knows better says so with error_recode. 0 before the first.
 */
int32_t error_code(void);
void error_recode(int32_t code);

/* Makes another thread's sentence the calling thread's last one; the logger has already been told. */
void error_adopt(const char *sentence);

void error_set_logger(mmarn_log_fn fn, void *ctx);

#endif
