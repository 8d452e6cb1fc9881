/* SPDX-License-Identifier: MIT */
/*
 * machine.h - the machine as reports show it. From /proc and /sys; what is not there is left out.
 */
#ifndef MMARN_MEASURE_MACHINE_H
#define MMARN_MEASURE_MACHINE_H

#include <stddef.h>
#include <stdint.h>

/* The processor's model name, else its architecture. */
void machine_model(char *buffer, size_t size);

/* The first processor's caches: "L1d 32 KiB, L1i 32 KiB, L2 1 MiB, L3 32 MiB"; "unknown". */
void machine_caches(char *buffer, size_t size);

/* Bytes of all last-level caches of the machine together; 0 when unknown. */
int64_t machine_last_level_cache(void);

/* Bytes of memory. */
int64_t machine_memory(void);

/* "model, 2 processors", for the first line of a report. */
void machine_line(char *buffer, size_t size);

/* The text behind "key: " in what mmarn_describe says; "?" when the key is not there. */
void machine_library_value(const char *key, char *buffer, size_t size);

/* All that mmarn_describe says. The caller frees it; NULL when memory is short. */
char *machine_library_text(void);

#endif
