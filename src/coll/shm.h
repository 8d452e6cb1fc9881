/*
 * shm.h - the shared-memory transport's own types: what lies in a rank's segment, and what a member keeps privately.
 *
 * Every rank owns one segment: a header with its bell, progress words and call records, and two rings of tile buffers.
 * Only the owner writes its segment, but for two things: peers ring its bell, and, in rank 0's, write the group's
 * failure word. Words that others wait for are loaded and stored seq_cst (base/sync.h).
 * Nothing read from a segment is used as an index or a size.
 */
#ifndef MMARN_COLL_SHM_H
#define MMARN_COLL_SHM_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/sync.h"
#include "coll/coll.h"
#include "coll/id.h"

enum { SHM_LINE = 64, SHM_SENTENCE_SIZE = 200 };

/* A record's values: the call's fields, then these. */
enum { SHM_TILES = COLL_FIELDS, SHM_ALGORITHM, SHM_NAME /* a hash; 0: none */, SHM_VALUES };

/* What a rank asks for in one call. `call` is stored last; the words below it do not change while it is current. */
struct shm_record {
    _Alignas(SHM_LINE) _Atomic uint64_t call;
    _Atomic uint64_t refused;
    _Atomic int64_t values[SHM_VALUES];
    _Atomic uint64_t text[SHM_SENTENCE_SIZE / sizeof(uint64_t)]; /* why it is refused, or its name if it has one */
};

/* Each rank has two rings of buffers. */
enum shm_rings { SHM_PARTS, SHM_SUMS, SHM_KINDS };

/* A tile's number, counted over all calls of the group's life that came about. */
struct shm_mark {
    _Alignas(SHM_LINE) _Atomic uint64_t tile;
};

struct shm_header {
    _Alignas(SHM_LINE) _Atomic uint64_t magic;
    uint32_t version;
    int32_t rank;
    uint8_t nonce[COLL_NONCE_SIZE];
    _Alignas(SHM_LINE) struct sync_bell bell;
    _Alignas(SHM_LINE) _Atomic uint64_t position; /* number of the last call that this rank has opened */
    _Atomic uint64_t finished;                    /* of the last call in which it needs nothing and owes nothing more */
    _Atomic uint32_t left;                        /* it has left the group */
    _Atomic uint64_t flushes;                     /* calls of flush, shm_ring.c */
    _Atomic int32_t processor;                    /* that the rank's calling thread was last seen on: shm_place.c */
    _Alignas(SHM_LINE) _Atomic uint64_t failure;  /* in rank 0's segment: shm_wait.c */
    struct shm_mark read[SHM_KINDS];              /* this rank has read what it had to of all tiles below */
    struct shm_mark wanted[SHM_KINDS];            /* it wants to be woken when all ranks have read so far */
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
    struct shm_ring rings[SHM_KINDS];
};

/* What only the producer of a ring knows. */
struct shm_producer {
    uint64_t *until; /* by slot: free once every rank has read the tiles below this one */
    uint64_t seen;   /* and so far every rank had read when this one looked last */
};
/* What all ranks know of each. */
struct shm_peer {
    int32_t pid;
    int32_t timeout_ms;
    int lifeline; /* hangs up when the rank's process dies; -1: same process, or this rank itself */
};

enum shm_verdict { SHM_UNDECIDED, SHM_AGREED, SHM_DISAGREED };

struct shm {
    struct coll coll;
    struct shm_segment segments[MMARN_MAX_RANKS];
    struct shm_peer peers[MMARN_MAX_RANKS];
    int kept;    /* our end of our own lifeline */
    bool forked; /* this is a copy in a child process */

    uint64_t call;         /* number of the current or last call */
    uint64_t published[2]; /* the call whose record of ours is in each place */
    struct coll_call asked;
    _Atomic int verdict;                      /* enum shm_verdict for the current call */
    uint64_t base;                            /* the number of the call's tile 0; the same on all ranks */
    uint64_t sum_base;                        /* the place of its sum in its owner's ring */
    struct shm_producer producers[SHM_KINDS]; /* of our own rings */
    uint64_t told[SHM_KINDS];                 /* who waited for us to read up to here has been woken */
};

static inline struct shm *shm_of(struct coll *coll)
{
    return (struct shm *)coll;
}

static inline struct shm_header *shm_own(const struct shm *shm)
{
    return shm->segments[shm->coll.rank].header;
}

/* shm_segment.c: memory. */
size_t shm_segment_size(int threads);
mmarn_status shm_segment_create(const struct coll_options *options, int *memfd, struct shm_segment *segment);
/* Maps a peer's segment. *shared: it was mapped in this process before, so the peer is a thread of it. */
mmarn_status shm_segment_open(int memfd, const uint8_t *nonce, int rank, int threads, struct shm_segment *segment,
                              bool *shared);
void shm_segment_close(struct shm_segment *segment);

/* shm_host.c and shm_guest.c: the meeting; on success segments, peers and what depends on all ranks are set. */
struct shm_joining;
mmarn_status shm_host(struct shm *shm, const struct shm_joining *joining, int listener);
mmarn_status shm_guest(struct shm *shm, const struct shm_joining *joining, int link);

/* shm_call.c: agreement. */
mmarn_status shm_begin(struct coll *coll, const struct coll_call *call);
void shm_end(struct coll *coll, mmarn_status outcome);
void shm_refuse(struct coll *coll, const char *sentence);
void shm_skip(struct coll *coll);
bool shm_agreed(struct coll *coll, mmarn_status *status);

/* shm_ring.c: tiles. */
bool shm_rings_create(struct shm *shm);
void shm_rings_destroy(struct shm *shm);
/* Takes back what a call that came to nothing put into the own rings; moves on behind a call. */
void shm_rings_undo(struct shm *shm);
void shm_rings_advance(struct shm *shm);
float *shm_part_begin(struct coll *coll, int64_t tile);
void shm_part_publish(struct coll *coll, int64_t tile);
bool shm_parts(struct coll *coll, int64_t tile, const float *parts[MMARN_MAX_RANKS]);
void shm_parts_release(struct coll *coll, int64_t tile);
void shm_flush(struct coll *coll);
void *shm_sum_begin(struct coll *coll, int64_t tile);
void shm_sum_publish(struct coll *coll, int64_t tile);
const void *shm_sum(struct coll *coll, int64_t tile);
void shm_sum_release(struct coll *coll, int64_t tile);

/* shm_place.c: which processors the ranks run on. */
void shm_place_note(struct shm *shm);
/* Leaves a processor that a rank before this one runs on too. */
void shm_place_apart(struct shm *shm);

/* shm_wait.c: waiting and failure. */
enum shm_failure { SHM_DIED = 1, SHM_LEFT, SHM_TIMED_OUT, SHM_ABORTED, SHM_FAILED };
/* Fails the group from call number `call` on, and wakes everybody. about is a rank, or negative when there is none. */
void shm_fail(struct shm *shm, enum shm_failure kind, int about, uint64_t call);
/* OK, or the failure that the current call must end with, sentence recorded. */
mmarn_status shm_status(struct shm *shm);
void shm_ring_all(struct shm *shm);
uint32_t shm_wait_begin(struct coll *coll);
void shm_wait_cancel(struct coll *coll);
mmarn_status shm_wait(struct coll *coll, uint32_t ticket);
void shm_wake(struct coll *coll);
/* Waits until every rank has finished call number `call`; false: the group has failed, no sentence recorded. */
bool shm_wait_finished(struct shm *shm, uint64_t call);

#endif
