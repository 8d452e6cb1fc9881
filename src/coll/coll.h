/*
 * coll.h - the ranks of a group: agreeing on a call, handing tiles around, summing them. Knows tiles, not norms.
 *
 * A call works on tiles 0 .. tiles - 1, the same on every rank. For each tile every rank writes its fp32 *part*; the
 * parts are summed in a fixed order, and the *sum*, in the call's output format, reaches every rank:
 *   COLL_OWNER     the tile's owner, coll_owner(), sums the parts and publishes the sum; everybody reads that.
 *   COLL_ONE_SHOT  every rank reads all parts and sums them itself: one hop less, more bytes read. Same bits.
 * Parts and sums travel through short rings, so a buffer may not be free yet: functions that return NULL or false mean
 * "not now". A caller polls what it can do, and blocks in wait only when that was nothing.
 *
 * Threads of one rank may fill, read and publish a call's tiles at the same time. Where tiles are handed out and given
 * back, in order, one thread at a time must be: part_begin, parts, parts_release, sum_begin, sum, sum_release. All
 * part_*, sum_* and agreed functions never block.
 */
#ifndef MMARN_COLL_COLL_H
#define MMARN_COLL_COLL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/float_env.h"
#include "mmarn/mmarn.h"

/* Most elements of one tile: 96 x 256 fp32 are 96 KiB, so that several fit a second-level cache. */
enum { COLL_TILE_ELEMENTS = 96 * 256 };

enum coll_algorithm { COLL_OWNER, COLL_ONE_SHOT };

/* What ranks must agree on, value by value. fields[i].text makes a value readable; NULL means decimal. */
enum { COLL_FIELDS = 8 };
struct coll_field {
    const char *name;
    const char *(*text)(int64_t value);
};
struct coll_call {
    const struct coll_field *fields; /* COLL_FIELDS of them; a NULL name ends the list */
    int64_t values[COLL_FIELDS];
    int64_t tiles;
    enum coll_algorithm algorithm;
    const char *name; /* the caller's for this call, or NULL; ranks must agree on it too */
};

/* Asked every 1 to 20 ms while a rank waits, by any of its threads: nonzero gives the wait up. ask may be NULL. */
struct coll_interrupt {
    int32_t (*ask)(void *ctx);
    void *ctx;
};

static inline bool coll_interrupted(const struct coll_interrupt *interrupt)
{
    if (!interrupt->ask)
        return false;
    const struct float_env inside = float_env_go_out();
    const bool told = interrupt->ask(interrupt->ctx) != 0;
    float_env_come_back(&inside);
    return told;
}

struct coll_options {
    const mmarn_id *id; /* NULL for the self transport only */
    int rank, world_size;
    int threads;    /* most threads this rank will use in a call */
    int timeout_ms; /* of every wait; negative: none */
    struct coll_interrupt interrupt;
};

struct coll_transport;

/* One member of a group. A transport's own struct begins with this one. */
struct coll {
    const struct coll_transport *transport;
    int rank, world_size;
    int max_threads; /* the largest `threads` of any rank: the same number on all of them */
    int timeout_ms;
    struct coll_interrupt interrupt;
    bool oversubscribed; /* all ranks' threads outnumber the processors they may use: the same on all ranks */
};

struct coll_transport {
    const char *name;
    /* Can this group use the transport? false: *why is a static sentence. */
    bool (*supports)(const struct coll_options *options, const char **why);

    /* Joins (collective) and leaves (local). */
    mmarn_status (*join)(const struct coll_options *options, struct coll **coll);
    void (*leave)(struct coll *coll);
    /* From any thread: fails every pending and later call of the group, on all ranks, with MMARN_ERR_ABORTED. */
    void (*abort)(struct coll *coll);
    /* In the child of a fork: drop what would keep the parent's death from being seen. Async-signal-safe. */
    void (*forked)(struct coll *coll);

    /*
     * Opens the next call and publishes what this rank asks for; by one thread. Tiles may be produced at once, but no
     * output may be written until agreed() has said MMARN_OK.
     */
    mmarn_status (*begin)(struct coll *coll, const struct coll_call *call);
    /* Closes it, with what came of it, after every thread has stopped; by one thread. */
    void (*end)(struct coll *coll, mmarn_status outcome);
    /* Instead of begin and end: this rank refuses its call for the reason in sentence; peers' calls fail with it. */
    void (*refuse)(struct coll *coll, const char *sentence);
    /*
     * This rank made a call with nothing to do. Peers that are waiting for it in a call with something to do are told
     * so instead of waiting for the deadline; otherwise it has no effect.
     */
    void (*skip)(struct coll *coll);

    /*
     * Do all ranks ask for the same? false: not known yet. true: *status is MMARN_OK or the error, sentence recorded.
     * Until some thread has had MMARN_OK from it, no part and no sum arrives. A call that ends with MMARN_ERR_MISMATCH
     * from here, and nothing else, leaves the group usable.
     */
    bool (*agreed)(struct coll *coll, mmarn_status *status);

    /* This rank's part of the next tile: COLL_TILE_ELEMENTS floats to fill, or NULL while the buffer is in use. */
    float *(*part_begin)(struct coll *coll, int64_t tile);
    void (*part_publish)(struct coll *coll, int64_t tile);
    /* All ranks' parts, by rank, when they have arrived. For whoever sums the tile: its owner, or everybody. */
    bool (*parts)(struct coll *coll, int64_t tile, const float *parts[MMARN_MAX_RANKS]);
    /* This rank has read the parts of all tiles below this one, or they were not for it. Once when agreed() has said
       MMARN_OK, and whenever it has read more. */
    void (*parts_release)(struct coll *coll, int64_t tile);

    /*
     * COLL_ONE_SHOT: peers that sleep are told of parts published and released only here, so that the steps of a small
     * call need not wait for each other. A rank calls it before any of its threads waits or stops; one thread at a
     * time.
     */
    void (*flush)(struct coll *coll);

    /* COLL_OWNER only. The owner fills the sum (COLL_TILE_ELEMENTS elements of at most 4 bytes) and publishes it. */
    void *(*sum_begin)(struct coll *coll, int64_t tile);
    void (*sum_publish)(struct coll *coll, int64_t tile);
    /* Every rank, the owner too, reads it. NULL until it has arrived. */
    const void *(*sum)(struct coll *coll, int64_t tile);
    /* This rank has read the sums of all tiles below this one. */
    void (*sum_release)(struct coll *coll, int64_t tile);

    /*
     * Waiting: ticket = wait_begin(); poll everything again; then either wait_cancel(), or wait(ticket), which returns
     * MMARN_OK when something may have changed since wait_begin, or the error that ends the call (a peer's death, the
     * deadline, an abort; sentence recorded). Any thread.
     */
    uint32_t (*wait_begin)(struct coll *coll);
    void (*wait_cancel)(struct coll *coll);
    mmarn_status (*wait)(struct coll *coll, uint32_t ticket);
    /* Wakes this rank's own waiting threads. */
    void (*wake)(struct coll *coll);
};

/* Ends with NULL. coll_find: by name, or for NULL and "auto" the best that supports the group; NULL: sentence recorded.
 */
extern const struct coll_transport *const coll_transports[];
const struct coll_transport *coll_find(const char *name, const struct coll_options *options, mmarn_status *status);

/* Which rank sums a tile of a COLL_OWNER call. */
int coll_owner(const struct coll *coll, int64_t tile);

/*
 * Sums world_size parts of `count` elements into out, which has the dtype `out_dtype`.
 *   in_rank_order false: fp32, in the binary tree ((0 + 1) + (2 + 3)) + ((4 + 5) + ...), whose left half is the largest
 *   power of two below the number of ranks; rounded to out_dtype once.
 *   in_rank_order true: each part is rounded to out_dtype first, and so is every addition, from rank 0 upwards.
 */
void coll_reduce(const float *const parts[], int world_size, int64_t count, int32_t out_dtype, bool in_rank_order,
                 void *out);

/*
 * The tree without its last addition, for who has more to do with the sum: left + right is the sum of `count` elements,
 * at most COLL_CHUNK. right is NULL with one rank. They point to parts, or into room.
 */
enum { COLL_CHUNK = 512, COLL_LEVELS = 6 /* subtrees of up to 64 ranks that can be open at once */ };
struct coll_halves {
    const float *left, *right;
    _Alignas(64) float room[2][COLL_LEVELS][COLL_CHUNK];
};
void coll_reduce_halves(const float *const parts[], int world_size, size_t count, struct coll_halves *halves);

#endif
