/* SPDX-License-Identifier: MIT */
/* door.c - each thread's last failure. */
#include "api/door.h"

static _Thread_local struct error last;

mmarn_status door_failed(const struct error *error)
{
    last = *error;
    error_log(error);
    return error->status;
}

const struct error *door_last_error(void)
{
    return &last;
}
