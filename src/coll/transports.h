/* SPDX-License-Identifier: MIT */
/* transports.h - the transports of this build, and the choice of one. */
#ifndef MMARN_COLL_TRANSPORTS_H
#define MMARN_COLL_TRANSPORTS_H

#include "coll/transport.h"

#define TRANSPORT(name) extern const struct coll_transport coll_transport_##name;
#include "coll/transports.inc"
#undef TRANSPORT

/* All transports, in the order of transports.inc; ends with NULL. */
extern const struct coll_transport *const coll_transports[];

/* The transport of this name; for NULL and "auto" the first that supports the group. NULL: see *error. */
const struct coll_transport *coll_find(const char *name, const struct coll_options *options, struct error *error);

#endif
