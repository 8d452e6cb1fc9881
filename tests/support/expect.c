/* SPDX-License-Identifier: MIT */
/* expect.c - see expect.h. The count is mapped before main, and so before any fork. */
#include "support/expect.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static atomic_int *failures; /* added to, and read after the ranks have been waited for, which orders both */
static _Thread_local char name[32];

__attribute__((constructor)) static void map_count(void)
{
    failures = mmap(NULL, sizeof *failures, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (failures == MAP_FAILED)
        abort();
}

bool expect_fail(const char *format, ...)
{
    char sentence[512];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    fprintf(stderr, "%s%s%s\n", name, name[0] ? ": " : "", sentence);
    atomic_fetch_add(failures, 1);
    return false;
}

int expect_failures(void)
{
    return atomic_load(failures);
}

void expect_name(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
}
