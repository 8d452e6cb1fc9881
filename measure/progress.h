/* SPDX-License-Identifier: MIT */
/*
 * progress.h - one line on a terminal's stderr that shows what is going on. It is silent if stderr is not a terminal.
 */
#ifndef MMARN_MEASURE_PROGRESS_H
#define MMARN_MEASURE_PROGRESS_H

/* Replaces the line. */
void progress_show(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Removes the line. */
void progress_clear(void);

#endif
