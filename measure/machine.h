/* SPDX-License-Identifier: MIT */
/* machine.h - the machine as reports show it, from /proc and /sys. Missing entries are left out. */
#ifndef MMARN_MEASURE_MACHINE_H
#define MMARN_MEASURE_MACHINE_H

#include <stddef.h>
#include <stdint.h>

/* The processor's model name, or its architecture if it has none. */
void machine_model(char *buffer, size_t size);

/* The first processor's caches: "L1d 32 KiB, L1i 32 KiB, L2 1 MiB, L3 32 MiB"; "unknown". */
void machine_caches(char *buffer, size_t size);

/* Bytes of all last-level caches of the machine together; 0 when unknown. */
int64_t machine_last_level_cache(void);

/* Bytes of memory. */
int64_t machine_memory(void);

/* "model, 2 processors", for the first line of a report. */
void machine_line(char *buffer, size_t size);

/* The text after "key: " in mmarn_describe's output; "?" if there is no such key. */
void machine_library_value(const char *key, char *buffer, size_t size);

/* The whole output of mmarn_describe. The caller frees it; NULL when memory is short. */
char *machine_library_text(void);

#endif
