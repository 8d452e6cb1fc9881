/* SPDX-License-Identifier: MIT */
/* tasks.h - counts the threads that the library has made in this process, and no others. */
#ifndef MMARN_TESTS_TASKS_H
#define MMARN_TESTS_TASKS_H

#include <stdbool.h>

int tasks_count(void);

/* Waits up to 20 s until there are this many: the system takes a moment to forget a joined thread. */
bool tasks_become(int count);

#endif
