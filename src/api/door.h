/* SPDX-License-Identifier: MIT */
/*
 * door.h - how every public function that can fail ends: it hands an error down, and what comes back in it becomes the
 * calling thread's last failure here, and nowhere else.
 */
#ifndef MMARN_API_DOOR_H
#define MMARN_API_DOOR_H

#include "base/error.h"

/* Keeps the error for mmarn_last_error and mmarn_last_code, tells the logger, and returns its status. */
mmarn_status door_failed(const struct error *error);

/* What a public function returns: done, or why not. */
static inline mmarn_status door_status(bool done, const struct error *error)
{
    return done ? MMARN_OK : door_failed(error);
}

/* The calling thread's last failure; its status is MMARN_OK before the first. */
const struct error *door_last_error(void);

#endif
