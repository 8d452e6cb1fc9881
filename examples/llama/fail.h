/* SPDX-License-Identifier: MIT */
/*
 * fail.h - how every file of this example reports what went wrong: one sentence on stderr, and false for the caller to
 * pass on. Every rank reports for itself, as the one that fails may be the only one.
 */
#ifndef LLAMA_FAIL_H
#define LLAMA_FAIL_H

#include <mmarn/mmarn.h>
#include <stdbool.h>

/* What the sentences begin with in a group of several ranks. */
void fail_set_rank(int rank, int world_size);

/* Always false. */
bool fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* True for MMARN_OK; else reports the library's own sentence. */
bool succeeded(mmarn_status status);

#endif
