/* SPDX-License-Identifier: MIT */
/*
 * fail.c - one line on stderr for each failure, written by one call so that the lines of several ranks do not mix.
 */
#include "fail.h"

#include <stdarg.h>
#include <stdio.h>

static char prefix[32] = "llama";

void fail_set_rank(int rank, int world_size)
{
    if (world_size > 1)
        snprintf(prefix, sizeof(prefix), "llama: rank %d", rank);
}

bool fail(const char *format, ...)
{
    char sentence[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s: %s\n", prefix, sentence);
    return false;
}

bool succeeded(mmarn_status status)
{
    return status == MMARN_OK || fail("%s: %s", mmarn_status_string(status), mmarn_last_error());
}
