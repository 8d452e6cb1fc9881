/* SPDX-License-Identifier: MIT */
/*
 * pin.h - giving a thread processors of its own: a busy scheduler may leave two on the same one for a whole
 * measurement.
 */
#ifndef MMARN_MEASURE_PIN_H
#define MMARN_MEASURE_PIN_H

#include <sched.h>

/*
 * Binds the calling thread to `count` processors of *allowed, from its processor number `first` on, counted from 0.
 * Does nothing where *allowed has no processor number `first`. *allowed is what the program was given: a thread begins
 * with the mask of the one that made it.
 */
void pin_to(const cpu_set_t *allowed, int first, int count);

#endif
