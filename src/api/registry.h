/* SPDX-License-Identifier: MIT */
/*
 * registry.h - the groups of this process: found by name, and told of a fork. Process-wide state, as only the logger
 * and the threads (base/threads.c) are besides.
 */
#ifndef MMARN_API_REGISTRY_H
#define MMARN_API_REGISTRY_H

#include "op/comm.h"

/* ARGUMENT when this thread already has a group of that name. */
bool registry_add(mmarn_comm *comm, struct error *error);
void registry_remove(mmarn_comm *comm);

/* The group under a name; of several, the one that the calling thread created. NULL when there is none: ARGUMENT. */
mmarn_comm *registry_find(const char *name, struct error *error);

#endif
