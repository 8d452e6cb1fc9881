/* SPDX-License-Identifier: MIT */
/*
 * transport.h - the contract of a transport, which carries call descriptors and tiles between the ranks of a group.
 * Everything else is built on it and is the same for all transports: agreement.h compares what ranks ask for,
 * schedule.h says what is done next, worker.h does it, reduce.h sums. docs/adding-a-transport.md is the guide.
 *
 * The calls of a group have numbers, 1, 2, ..., the same on every rank. In each call every rank first posts a
 * descriptor; then tiles 0 .. tiles - 1 travel. For each tile every rank publishes its fp32 *partial*. The partials are
 * summed in a fixed order, and the *sum*, in the call's output format, reaches every rank:
 *   COLL_OWNER     the tile's owner, coll_owner(), sums the partials and publishes the sum; all ranks read that.
 *   COLL_ONE_SHOT  every rank reads all partials and sums them itself: one hop less, more bytes read. Same bits.
 * Partials and sums travel through short rings of buffers, one of each kind for each rank. A buffer may not be free
 * yet, or may not have arrived: functions that return NULL or false mean "not now". A caller polls everything it can
 * do, and blocks in wait only when nothing could be done.
 */
#ifndef MMARN_COLL_TRANSPORT_H
#define MMARN_COLL_TRANSPORT_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/float_env.h"
#include "base/sync.h"
#include "mmarn/mmarn_group.h"

/* Most elements of one tile: 96 x 256 fp32 are 96 KiB, so that several fit a second-level cache. */
enum { COLL_TILE_ELEMENTS = 96 * 256 };

enum coll_algorithm { COLL_OWNER, COLL_ONE_SHOT };
enum coll_ring { COLL_PARTIALS, COLL_SUMS, COLL_RINGS };

/*
 * What a rank asks for in a call: numbers that must be the same on all ranks, and a text. agreement.c defines their
 * meaning.
 */
enum { COLL_VALUES = 11, COLL_TEXT_SIZE = 200 };
struct coll_descriptor {
    int64_t values[COLL_VALUES];
    bool refused;
    bool has_text;
    char text[COLL_TEXT_SIZE]; /* if has_text */
};

/* Called every 1 to 20 ms while a rank waits, by any of its threads: nonzero ends the wait. ask may be NULL. */
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
    const mmarn_id *id; /* NULL only for the self transport */
    int rank, world_size;
    int threads;    /* most threads this rank will use in a call */
    int timeout_ms; /* of every wait; negative: no deadline */
    struct coll_interrupt interrupt;
};

/* The shape of a call, for transports: the same on all ranks once they have agreed. */
struct coll_call_shape {
    int64_t tiles;
    enum coll_algorithm algorithm;
};

struct coll_transport;

/* One member of a group. The struct of a transport begins with this one. */
struct coll {
    /* Set by join. */
    const struct coll_transport *transport;
    int rank, world_size;
    int max_threads; /* the largest `threads` of any rank: the same number on all of them */
    int timeout_ms;
    struct coll_interrupt interrupt;
    bool oversubscribed;      /* all ranks' threads outnumber the processors they may use: the same on all ranks */
    struct sync_event *event; /* this rank's own: notified of changes that its threads wait for */

    /* Set by agreement.c: the number of the current or last call, and its shape. A call that is empty, or that this
       rank refuses, has a shape without tiles. */
    uint64_t call;
    struct coll_call_shape shape;
};

enum coll_presence { COLL_NOT_YET, COLL_EMPTY, COLL_HERE };
enum coll_outcome {
    COLL_DONE,   /* every tile has passed all its steps on this rank */
    COLL_DROPPED /* the ranks did not agree: published partials are void, and the group goes on */
};
enum coll_failure {
    COLL_ABORTED, /* every pending and later call of the group fails on all ranks with MMARN_ERR_ABORTED */
    COLL_BROKEN   /* the same with MMARN_ERR_PEER, but only from the current call on */
};

struct coll_transport {
    const char *name;

    /* Can this group use the transport? false: *why is a static sentence. */
    bool (*supports)(const struct coll_options *options, const char **why);
    /* Collective: joins on all ranks or on none, within the deadline. */
    bool (*join)(const struct coll_options *options, struct coll **coll, struct error *error);
    /* Local. Peers' calls that still need this rank fail with MMARN_ERR_PEER; others are not disturbed. */
    void (*leave)(struct coll *coll);
    /* In the child of a fork: drops what would hide the parent's death. Async-signal-safe. Only leave may follow. */
    void (*forked)(struct coll *coll);
    /* From any thread: fails the group on all ranks. */
    void (*fail)(struct coll *coll, enum coll_failure failure);

    /*
     * Opens call number coll->call with this rank's descriptor; NULL: the call is empty. Called by one thread. last:
     * this rank does nothing more in the call, so peers that wait for all descriptors must be told. May block until
     * peers have finished earlier calls. false: the call ends with *error. With last it is always true, and error may
     * be NULL, because in a failed group no peer needs to be told.
     */
    bool (*post)(struct coll *coll, const struct coll_descriptor *descriptor, bool last, struct error *error);
    /* What a rank has posted for the current call, copied out if COLL_HERE. Works for this rank too. */
    enum coll_presence (*peek)(struct coll *coll, int rank, struct coll_descriptor *descriptor);
    /* Closes the call, unless this rank posted it with `last` or it has failed. Called by one thread, when all threads
       have stopped. COLL_DROPPED: peers that wait must be told. */
    void (*finish)(struct coll *coll, enum coll_outcome outcome);

    /*
     * Tiles. begin, read and release are called by one thread at a time, for tiles of each kind in ascending order.
     * publish is called by any thread, so tiles may be published in another order. None of them blocks. read and
     * release are called only after the ranks have agreed, so nothing that was published before may be lost.
     */
    /* This rank's buffer of COLL_TILE_ELEMENTS elements of 4 bytes for the tile; NULL while it is in use. */
    void *(*begin)(struct coll *coll, enum coll_ring ring, int64_t tile);
    void (*publish)(struct coll *coll, enum coll_ring ring, int64_t tile);
    /* COLL_PARTIALS: have all ranks' partials arrived? Then buffers has them by rank, for the rank that sums the tile.
       COLL_SUMS: has the owner's sum arrived? Then it is buffers[0]. They stay until the tile is released. */
    bool (*read)(struct coll *coll, enum coll_ring ring, int64_t tile, const void *buffers[MMARN_MAX_RANKS]);
    /* This rank has read all tiles below this one, or had no need to. Called once when the ranks have agreed, and
       whenever it has read more. */
    void (*release)(struct coll *coll, enum coll_ring ring, int64_t tile);
    /*
     * COLL_ONE_SHOT: only here must sleeping peers be told of partials published and released, so that the steps of a
     * small call need not wait for each other. Called before any thread waits or stops, by one thread at a time.
     */
    void (*flush)(struct coll *coll);

    /*
     * Waiting: ticket = wait_begin(); poll everything again; then either sync_event_exit(coll->event), or wait(ticket),
     * which returns true when something may have changed since wait_begin, or false with the error that ends the call
     * (a peer's death, the deadline, an abort). Any thread. While it waits it asks coll_interrupted every 1 to 20 ms
     * and fails the group when told to.
     */
    uint32_t (*wait_begin)(struct coll *coll);
    bool (*wait)(struct coll *coll, uint32_t ticket, struct error *error);
};

/* The rank that sums a tile of a COLL_OWNER call. */
static inline int coll_owner(const struct coll *coll, int64_t tile)
{
    assert(tile >= 0 && tile < coll->shape.tiles);
    return (int)(tile % coll->world_size);
}

#endif
