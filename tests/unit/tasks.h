/* SPDX-License-Identifier: MIT */
/*
 * tasks.h - counts the threads that the library has made in this process, whoever else has some.
 */
#ifndef MMARN_TESTS_TASKS_H
#define MMARN_TESTS_TASKS_H

#include <stdbool.h>

int tasks_count(void);

/* Waits until there are so many, as the system takes a moment to forget a thread that has been joined; for 20 s. */
bool tasks_become(int count);

#endif
