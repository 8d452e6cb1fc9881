/* SPDX-License-Identifier: MIT */
/*
 * agreement.h - opening and closing calls on any transport, and finding out whether all ranks ask for the same.
 *
 * Every call of a rank has a number, whether it has work to do, refuses it or has nothing to do, so ranks that differ
 * in that stay in step for the calls that follow. All ranks compare the same descriptors, and so come to the same
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
    const struct coll_field *fields; /* COLL_FIELDS of them; a NULL name ends the list */
    int64_t values[COLL_FIELDS];
    struct coll_call_shape shape;
    const char *name; /* the caller's for this call, or NULL; ranks must agree on it too */
};

/*
 * Opens the next call and posts what this rank asks for; by one thread. *call must live until coll_end. Tiles may be
 * produced at once, but no output may be written until coll_agreed has said MMARN_OK. Errors: as post's.
 */
mmarn_status coll_begin(struct coll *coll, const struct coll_call *call);

/*
 * Do all ranks ask for the same? false: not known yet. true: *status is MMARN_OK or MMARN_ERR_MISMATCH, sentence
 * recorded. One thread at a time. A call that ends with the mismatch, and nothing else, leaves the group usable.
 */
bool coll_agreed(struct coll *coll, const struct coll_call *call, mmarn_status *status);

/* Closes it, with what came of it, after every thread has stopped; by one thread. */
void coll_end(struct coll *coll, mmarn_status outcome);

/* Instead of begin and end: this rank refuses its call for the reason in sentence; peers' calls fail with it. */
void coll_refuse(struct coll *coll, const char *sentence);

/*
 * This rank made a call with nothing to do. Peers that are waiting for it in a call with something to do are told so
 * instead of waiting for the deadline; otherwise it has no effect.
 */
void coll_skip(struct coll *coll);

#endif
