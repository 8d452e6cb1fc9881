/* SPDX-License-Identifier: MIT */
/*
 * agreement.h - opens and closes calls on any transport, and finds out whether all ranks ask for the same.
 *
 * Every call of a rank has a number, whether the rank has work to do, refuses the call, or has nothing to do. Ranks
 * that differ in this stay in step for later calls. All ranks compare the same descriptors, so they reach the same
 * verdict with the same sentence.
 */
#ifndef MMARN_COLL_AGREEMENT_H
#define MMARN_COLL_AGREEMENT_H

#include "coll/transport.h"

/* What ranks must agree on, value by value. fields[i].text makes a value readable; NULL means decimal. */
enum { COLL_FIELDS = 8 };
struct coll_field {
    const char *name;
    const char *(*text)(int64_t value);
};
struct coll_call {
    const struct coll_field *fields; /* COLL_FIELDS entries; a NULL name ends the list */
    int64_t values[COLL_FIELDS];
    struct coll_call_shape shape;
    const char *name; /* the caller's name for this call, or NULL; ranks must agree on it too */
};

/*
 * Opens the next call and posts what this rank asks for. Called by one thread. *call must live until coll_end. Tiles
 * may be produced at once, but no output may be written until coll_agreed has given COLL_AGREED. Errors: those of post.
 */
bool coll_begin(struct coll *coll, const struct coll_call *call, struct error *error);

/*
 * Do all ranks ask for the same? Called by one thread at a time. COLL_DIFFER: *error is MMARN_ERR_MISMATCH and says in
 * what; if the call ends with it and nothing else, the group stays usable.
 */
enum coll_agreement { COLL_UNKNOWN, COLL_AGREED, COLL_DIFFER };
enum coll_agreement coll_agreed(struct coll *coll, const struct coll_call *call, struct error *error);

/* Closes the call with its outcome. Called by one thread, after every thread has stopped. */
void coll_end(struct coll *coll, mmarn_status outcome);

/* Replaces begin and end: this rank refuses its call for the reason in sentence, and the peers' calls fail with it. */
void coll_refuse(struct coll *coll, const char *sentence);

/*
 * This rank made a call with nothing to do. Peers that wait for it in a call with something to do are told so, and need
 * not wait for the deadline. Otherwise it has no effect.
 */
void coll_skip(struct coll *coll);

#endif
