/*
 * transports.h - the transports compiled in, one line each; coll.c lists them in order of preference.
 */
#ifndef MMARN_COLL_TRANSPORTS_H
#define MMARN_COLL_TRANSPORTS_H

#include "coll/coll.h"

extern const struct coll_transport coll_transport_self; /* one rank, private memory */
extern const struct coll_transport coll_transport_shm;  /* ranks of one machine, shared memory */

#endif
