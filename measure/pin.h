/* SPDX-License-Identifier: MIT */
/*
 * pin.h - gives a thread processors of its own: a busy scheduler may leave two threads on the same one for a whole
 * measurement.
 */
#ifndef MMARN_MEASURE_PIN_H
#define MMARN_MEASURE_PIN_H

#include <sched.h>

/*
 * Binds the calling thread to `count` processors of *allowed, starting with its processor number `first`, counted from
 * 0. Does nothing if *allowed has no processor number `first`. *allowed is the mask that the program was given: a
 * thread inherits the mask of the thread that made it.
 */
void pin_to(const cpu_set_t *allowed, int first, int count);

#endif
