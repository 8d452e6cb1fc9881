/* SPDX-License-Identifier: MIT */
/*
 * self.c - the transport of a group of one rank. Memory is private, and only the rank's own threads wait for each
 * other. It is also the shortest model for a new transport.
 *
 * Partials and sums go through two rings of buffers. Tile t uses slot t mod count, whose stamp is t + 1 when its
 * contents are there. The slot is free for tile t when tile t - count has been read.
 */
#include <assert.h>
#include <stdatomic.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/memory.h"
#include "coll/transports.h"

enum { SLOTS_LEAST = 4, SLOTS_SPARE = 2 };

struct ring {
    _Atomic int64_t *stamps;
    int64_t read; /* all tiles below it have been read */
    float *data;  /* COLL_TILE_ELEMENTS for each slot */
};

struct self {
    struct coll coll;
    struct sync_event event;
    atomic_bool aborted;
    int count; /* slots of each ring */
    struct ring rings[COLL_RINGS];
    struct coll_descriptor posted;
    bool empty;
};

static struct self *self_of(struct coll *coll)
{
    return (struct self *)coll;
}

static bool supports(const struct coll_options *options, const char **why)
{
    *why = "\"self\" is for one rank";
    return options->world_size == 1;
}

static void leave(struct coll *coll)
{
    struct self *self = self_of(coll);
    for (int ring = 0; ring < COLL_RINGS; ring++) {
        memory_free(self->rings[ring].stamps);
        memory_free(self->rings[ring].data);
    }
    memory_free(self);
}

static bool ring_create(struct ring *ring, int count)
{
    ring->stamps = memory_alloc((size_t)count, sizeof *ring->stamps);
    ring->data = memory_alloc((size_t)count, COLL_TILE_ELEMENTS * sizeof *ring->data);
    return ring->stamps && ring->data;
}

static bool join(const struct coll_options *options, struct coll **coll, struct error *error)
{
    assert(options->rank == 0 && options->world_size == 1 && options->threads >= 1);
    struct self *self = memory_alloc(1, sizeof *self);
    if (!self)
        return error_fail(error, MMARN_ERR_MEMORY, "no memory for a group of one rank");
    const int threads = options->threads;
    self->count = threads + SLOTS_SPARE > SLOTS_LEAST ? threads + SLOTS_SPARE : SLOTS_LEAST;
    self->coll = (struct coll){.transport = &coll_transport_self,
                               .rank = 0,
                               .world_size = 1,
                               .max_threads = threads,
                               .timeout_ms = options->timeout_ms,
                               .oversubscribed = threads > cpu_count(),
                               .event = &self->event};
    if (!ring_create(&self->rings[COLL_PARTIALS], self->count) || !ring_create(&self->rings[COLL_SUMS], self->count)) {
        leave(&self->coll);
        return error_fail(error, MMARN_ERR_MEMORY, "no memory for the buffers of %d threads", threads);
    }
    *coll = &self->coll;
    return true;
}

static bool not_aborted(struct self *self, struct error *error)
{
    return !atomic_load(&self->aborted) || error_fail(error, MMARN_ERR_ABORTED, "rank 0 aborted the group");
}

static void fail(struct coll *coll, enum coll_failure failure)
{
    /* A broken call was this rank's own, and the rank knows. */
    if (failure == COLL_ABORTED)
        atomic_store(&self_of(coll)->aborted, true);
    sync_event_notify(coll->event);
}

static void forked(struct coll *coll)
{
    (void)coll;
}

static bool post(struct coll *coll, const struct coll_descriptor *descriptor, bool last, struct error *error)
{
    struct self *self = self_of(coll);
    self->empty = !descriptor;
    if (descriptor)
        self->posted = *descriptor;
    for (int ring = 0; ring < COLL_RINGS && !last; ring++) {
        self->rings[ring].read = 0;
        for (int i = 0; i < self->count; i++)
            atomic_store(&self->rings[ring].stamps[i], 0);
    }
    return last || not_aborted(self, error);
}

static enum coll_presence peek(struct coll *coll, int rank, struct coll_descriptor *descriptor)
{
    assert(rank == 0);
    (void)rank;
    *descriptor = self_of(coll)->posted;
    return self_of(coll)->empty ? COLL_EMPTY : COLL_HERE;
}

static void finish(struct coll *coll, enum coll_outcome outcome)
{
    (void)coll, (void)outcome;
}

static void *begin(struct coll *coll, enum coll_ring kind, int64_t tile)
{
    assert(tile >= 0 && tile < coll->shape.tiles);
    const struct ring *ring = &self_of(coll)->rings[kind];
    const int count = self_of(coll)->count;
    return tile - count < ring->read ? ring->data + tile % count * COLL_TILE_ELEMENTS : NULL;
}

static void publish(struct coll *coll, enum coll_ring kind, int64_t tile)
{
    struct self *self = self_of(coll);
    /* Pairs with the load in read_tile: a thread that sees the stamp sees the buffer. */
    atomic_store(&self->rings[kind].stamps[tile % self->count], tile + 1);
    sync_event_notify(coll->event);
}

static bool read_tile(struct coll *coll, enum coll_ring kind, int64_t tile, const void *buffers[MMARN_MAX_RANKS])
{
    assert(tile >= 0 && tile < coll->shape.tiles);
    const struct ring *ring = &self_of(coll)->rings[kind];
    const int64_t slot = tile % self_of(coll)->count;
    buffers[0] = ring->data + slot * COLL_TILE_ELEMENTS;
    /* Pairs with the store in publish. */
    return atomic_load(&ring->stamps[slot]) == tile + 1;
}

static void release(struct coll *coll, enum coll_ring kind, int64_t tile)
{
    assert(tile >= self_of(coll)->rings[kind].read && tile <= coll->shape.tiles);
    self_of(coll)->rings[kind].read = tile;
    /* Wakes threads that have gone to sleep: they poll again under the lock that the caller holds now. */
    sync_event_notify(coll->event);
}

static void flush(struct coll *coll)
{
    (void)coll;
}

static uint32_t wait_begin(struct coll *coll)
{
    return sync_event_enter(coll->event);
}

static bool wait(struct coll *coll, uint32_t ticket, struct error *error)
{
    struct self *self = self_of(coll);
    const int64_t deadline = sync_deadline(coll->timeout_ms);
    bool notified = atomic_load(&self->aborted) ||
                    sync_event_spin(coll->event, ticket, coll->oversubscribed ? SYNC_SPIN_SHARED_NS : SYNC_SPIN_NS);
    for (int64_t left; !notified && (left = deadline - sync_now()) > 0;)
        notified = sync_event_sleep(coll->event, ticket, left);
    sync_event_exit(coll->event);
    if (!notified)
        return error_fail(error, MMARN_ERR_TIMEOUT, "rank 0 waited %d ms for its own threads", coll->timeout_ms);
    return not_aborted(self, error);
}

const struct coll_transport coll_transport_self = {
    .name = "self",
    .supports = supports,
    .join = join,
    .leave = leave,
    .forked = forked,
    .fail = fail,
    .post = post,
    .peek = peek,
    .finish = finish,
    .begin = begin,
    .publish = publish,
    .read = read_tile,
    .release = release,
    .flush = flush,
    .wait_begin = wait_begin,
    .wait = wait,
};
