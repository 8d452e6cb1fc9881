/* SPDX-License-Identifier: MIT */
/*
 * shm.h - the types of the shared-memory transport: what lies in a rank's segment, and what a member keeps privately.
 *
 * Every rank owns one segment: a header with its event count, progress words and call records, and two rings of tile
 * buffers. Only the owner writes its segment, with two exceptions: peers notify its event count, and in rank 0's
 * segment they write the group's failure word. Words that others wait for are loaded and stored seq_cst (base/sync.h).
 * Nothing read from a segment is used as an index or a size.
 */
#ifndef MMARN_COLL_SHM_SHM_H
#define MMARN_COLL_SHM_SHM_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/sync.h"
#include "coll/id.h"
#include "coll/transports.h"

enum { SHM_LINE = 64 };

/* A rank's descriptor of one call. `call` is stored last; the words below it do not change while it is current. */
struct shm_record {
    _Alignas(SHM_LINE) _Atomic uint64_t call;
    _Atomic uint64_t refused, has_text;
    _Atomic int64_t values[COLL_VALUES];
    _Atomic uint64_t text[COLL_TEXT_SIZE / sizeof(uint64_t)];
};

/* The number of a tile, counted over all agreed calls in the life of the group. */
struct shm_mark {
    _Alignas(SHM_LINE) _Atomic uint64_t tile;
};

struct shm_header {
    _Alignas(SHM_LINE) _Atomic uint64_t magic;
    uint32_t version;
    int32_t rank;
    uint8_t nonce[COLL_NONCE_SIZE];
    _Alignas(SHM_LINE) struct sync_event event;
    _Alignas(SHM_LINE) _Atomic uint64_t position; /* number of the last call that this rank has opened */
    _Atomic uint64_t finished;                    /* of the last call in which this rank needs and owes nothing more */
    _Atomic uint32_t left;                        /* it has left the group */
    _Atomic uint64_t flushes;                     /* number of calls of flush, ring.c */
    _Atomic int32_t processor;                    /* where the rank's calling thread was last seen: place.c */
    _Alignas(SHM_LINE) _Atomic uint64_t failure;  /* in rank 0's segment: wait.c */
    struct shm_mark read[COLL_RINGS];             /* this rank is done with all tiles below */
    struct shm_mark wanted[COLL_RINGS];           /* this rank wants to be woken when all ranks have read up to here */
    struct shm_record records[2];                 /* call s is in records[s % 2] */
};

/* One ring as seen from any rank. */
struct shm_ring {
    int count;
    _Atomic uint64_t *stamps; /* by slot: which tile of which call lies in it */
    float *data;              /* COLL_TILE_ELEMENTS for each slot */
};

/* One rank's segment as mapped here. */
struct shm_segment {
    struct shm_header *header; /* NULL: not mapped */
    struct shm_ring rings[COLL_RINGS];
};

/* What only the producer of a ring knows. */
struct shm_producer {
    uint64_t *until; /* by slot: free once every rank has read the tiles below this one */
    uint64_t seen;   /* low-water mark: at the last check all ranks had read the tiles below it */
};

/* What all ranks know of each rank. */
struct shm_peer {
    int32_t pid;
    int32_t timeout_ms;
    int lifeline; /* hangs up when the rank's process dies; -1: same process, or this rank itself */
};

struct shm {
    struct coll coll;
    struct shm_segment segments[MMARN_MAX_RANKS];
    struct shm_peer peers[MMARN_MAX_RANKS];
    int kept;    /* our end of our own lifeline */
    bool forked; /* this is a copy in a child process */

    uint64_t posted[2];                        /* the call whose record lies in each place */
    uint64_t base;                             /* the number of the call's tile 0; the same on all ranks */
    uint64_t sum_base;                         /* the place of its sum in its owner's ring */
    struct shm_producer producers[COLL_RINGS]; /* of our own rings */
    uint64_t told[COLL_RINGS];                 /* ranks that waited for us to read up to here have been woken */
};

static inline struct shm *shm_of(struct coll *coll)
{
    return (struct shm *)coll;
}

static inline struct shm_header *shm_own(const struct shm *shm)
{
    return shm->segments[shm->coll.rank].header;
}

/* segment.c: memory. */
size_t shm_segment_size(int threads);
bool shm_segment_create(const struct coll_options *options, int *memfd, struct shm_segment *segment,
                        struct error *error);
/* Maps a peer's segment. *shared: it was mapped in this process before, so the peer is a thread of it. */
bool shm_segment_open(int memfd, const uint8_t *nonce, int rank, int threads, struct shm_segment *segment, bool *shared,
                      struct error *error);
void shm_segment_close(struct shm_segment *segment);

/* descriptors.c: what ranks ask for in calls. */
bool shm_post(struct coll *coll, const struct coll_descriptor *descriptor, bool last, struct error *error);
enum coll_presence shm_peek(struct coll *coll, int rank, struct coll_descriptor *descriptor);
void shm_finish(struct coll *coll, enum coll_outcome outcome);

/* ring.c: tiles. */
bool shm_rings_create(struct shm *shm);
void shm_rings_destroy(struct shm *shm);
/* Undo takes back what a dropped call put into this rank's rings; advance moves past a finished call. */
void shm_rings_undo(struct shm *shm);
void shm_rings_advance(struct shm *shm);
void *shm_ring_begin(struct coll *coll, enum coll_ring ring, int64_t tile);
void shm_ring_publish(struct coll *coll, enum coll_ring ring, int64_t tile);
bool shm_ring_read(struct coll *coll, enum coll_ring ring, int64_t tile, const void *buffers[MMARN_MAX_RANKS]);
void shm_ring_release(struct coll *coll, enum coll_ring ring, int64_t tile);
void shm_ring_flush(struct coll *coll);

/* place.c: which processors the ranks run on. */
void shm_place_note(struct shm *shm);
/* Moves to another processor if a lower rank runs on this one. */
void shm_place_apart(struct shm *shm);

/* failure.c: failing the group, and the sentence of its failure. */
enum shm_failure { SHM_FAILURE_DIED = 1, SHM_FAILURE_LEFT, SHM_FAILURE_TIMEOUT, SHM_FAILURE_ABORT, SHM_FAILURE_BROKEN };
/* Fails the group from call number `call` on, and wakes every rank. about is a rank, or negative when there is none. */
void shm_failure_set(struct shm *shm, enum shm_failure failure, int about, uint64_t call);
/* Has the group failed for the call that this rank is in? */
bool shm_failure_is_set(const struct shm *shm);
/* true: it has not. false: *error is what the current call must end with. */
bool shm_failure_check(const struct shm *shm, struct error *error);
void shm_wake_all(struct shm *shm);

/* wait.c */
uint32_t shm_wait_begin(struct coll *coll);
bool shm_wait(struct coll *coll, uint32_t ticket, struct error *error);
/* Waits until every rank has finished call number `call`; false: the group has failed. */
bool shm_wait_finished(struct shm *shm, uint64_t call);

#endif
