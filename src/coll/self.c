/*
 * self.c - the transport of a group of one rank: private memory, and the rank's own threads to wait for. It is also the
 * model for a new transport: everything that coll.h promises, with nothing between processes.
 *
 * Parts and sums go through two rings of buffers. Tile t uses slot t mod count, whose stamp is t + 1 when its contents
 * are there; the slot is free for it when tile t - count has been read.
 */
#include <stdatomic.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/sync.h"
#include "coll/transports.h"

enum { SPIN_NS = 50000, SPIN_OVERSUBSCRIBED_NS = 1000, SLOTS_LEAST = 4, SLOTS_SPARE = 2 };

struct ring {
    _Atomic int64_t *stamps;
    int64_t read; /* tiles below it */
    float *data;  /* COLL_TILE_ELEMENTS for each slot */
};

struct self {
    struct coll coll;
    struct sync_bell bell;
    atomic_bool aborted;
    int count; /* slots of each ring */
    struct ring parts, sums;
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
    memory_free(self->parts.stamps);
    memory_free(self->parts.data);
    memory_free(self->sums.stamps);
    memory_free(self->sums.data);
    memory_free(self);
}

static bool ring_create(struct ring *ring, int count)
{
    ring->stamps = memory_alloc((size_t)count, sizeof *ring->stamps);
    ring->data = memory_alloc((size_t)count, COLL_TILE_ELEMENTS * sizeof *ring->data);
    return ring->stamps && ring->data;
}

static mmarn_status join(const struct coll_options *options, struct coll **coll)
{
    struct self *self = memory_alloc(1, sizeof *self);
    if (!self)
        return error_set(MMARN_ERR_MEMORY, "no memory for a group of one rank");
    int threads = options->threads;
    self->count = threads + SLOTS_SPARE > SLOTS_LEAST ? threads + SLOTS_SPARE : SLOTS_LEAST;
    self->coll = (struct coll){.transport = &coll_transport_self,
                               .rank = 0,
                               .world_size = 1,
                               .max_threads = threads,
                               .timeout_ms = options->timeout_ms,
                               .oversubscribed = threads > cpu_count()};
    if (!ring_create(&self->parts, self->count) || !ring_create(&self->sums, self->count)) {
        leave(&self->coll);
        return error_set(MMARN_ERR_MEMORY, "no memory for the buffers of %d threads", threads);
    }
    *coll = &self->coll;
    return MMARN_OK;
}

static mmarn_status status_of(struct self *self)
{
    return atomic_load(&self->aborted) ? error_set(MMARN_ERR_ABORTED, "rank 0 aborted the group") : MMARN_OK;
}

static void self_abort(struct coll *coll)
{
    atomic_store(&self_of(coll)->aborted, true);
    sync_bell_ring(&self_of(coll)->bell);
}

static void forked(struct coll *coll)
{
    (void)coll;
}

static mmarn_status begin(struct coll *coll, const struct coll_call *call)
{
    (void)call;
    struct self *self = self_of(coll);
    self->parts.read = self->sums.read = 0;
    for (int i = 0; i < self->count; i++) {
        atomic_store(&self->parts.stamps[i], 0);
        atomic_store(&self->sums.stamps[i], 0);
    }
    return status_of(self);
}

static void end(struct coll *coll, mmarn_status outcome)
{
    (void)coll;
    (void)outcome;
}

static void refuse(struct coll *coll, const char *sentence)
{
    (void)coll;
    (void)sentence;
}

static void skip(struct coll *coll)
{
    (void)coll;
}

static bool agreed(struct coll *coll, mmarn_status *status)
{
    (void)coll;
    *status = MMARN_OK;
    return true;
}

static float *produce(struct coll *coll, const struct ring *ring, int64_t tile)
{
    const int count = self_of(coll)->count;
    return tile - count < ring->read ? ring->data + tile % count * COLL_TILE_ELEMENTS : NULL;
}

static void publish(struct coll *coll, const struct ring *ring, int64_t tile)
{
    struct self *self = self_of(coll);
    /* Pairs with the load in consume: whoever sees the stamp sees the buffer. */
    atomic_store(&ring->stamps[tile % self->count], tile + 1);
    sync_bell_ring(&self->bell);
}

static const float *consume(struct coll *coll, const struct ring *ring, int64_t tile)
{
    const int64_t slot = tile % self_of(coll)->count;
    /* Pairs with the store in publish. */
    return atomic_load(&ring->stamps[slot]) == tile + 1 ? ring->data + slot * COLL_TILE_ELEMENTS : NULL;
}

static void release(struct coll *coll, struct ring *ring, int64_t tile)
{
    ring->read = tile;
    /* For threads that have gone to sleep: they poll again under the lock that the caller holds now. */
    sync_bell_ring(&self_of(coll)->bell);
}

static float *part_begin(struct coll *coll, int64_t tile)
{
    return produce(coll, &self_of(coll)->parts, tile);
}

static void part_publish(struct coll *coll, int64_t tile)
{
    publish(coll, &self_of(coll)->parts, tile);
}

static bool parts(struct coll *coll, int64_t tile, const float *arrived[MMARN_MAX_RANKS])
{
    arrived[0] = consume(coll, &self_of(coll)->parts, tile);
    return arrived[0] != NULL;
}

static void parts_release(struct coll *coll, int64_t tile)
{
    release(coll, &self_of(coll)->parts, tile);
}

static void flush(struct coll *coll)
{
    (void)coll;
}

static void *sum_begin(struct coll *coll, int64_t tile)
{
    return produce(coll, &self_of(coll)->sums, tile);
}

static void sum_publish(struct coll *coll, int64_t tile)
{
    publish(coll, &self_of(coll)->sums, tile);
}

static const void *sum(struct coll *coll, int64_t tile)
{
    return consume(coll, &self_of(coll)->sums, tile);
}

static void sum_release(struct coll *coll, int64_t tile)
{
    release(coll, &self_of(coll)->sums, tile);
}

static uint32_t wait_begin(struct coll *coll)
{
    return sync_bell_enter(&self_of(coll)->bell);
}

static void wait_cancel(struct coll *coll)
{
    sync_bell_exit(&self_of(coll)->bell);
}

static mmarn_status wait(struct coll *coll, uint32_t ticket)
{
    struct self *self = self_of(coll);
    int64_t deadline = sync_deadline(coll->timeout_ms);
    bool rung = atomic_load(&self->aborted) ||
                sync_bell_spin(&self->bell, ticket, coll->oversubscribed ? SPIN_OVERSUBSCRIBED_NS : SPIN_NS);
    for (int64_t left; !rung && (left = deadline - sync_now()) > 0;)
        rung = sync_bell_sleep(&self->bell, ticket, left);
    sync_bell_exit(&self->bell);
    if (!rung)
        return error_set(MMARN_ERR_TIMEOUT, "rank 0 waited %d ms for its own threads", coll->timeout_ms);
    return status_of(self);
}

static void wake(struct coll *coll)
{
    sync_bell_ring(&self_of(coll)->bell);
}

const struct coll_transport coll_transport_self = {
    .name = "self",
    .supports = supports,
    .join = join,
    .leave = leave,
    .abort = self_abort,
    .forked = forked,
    .begin = begin,
    .end = end,
    .refuse = refuse,
    .skip = skip,
    .agreed = agreed,
    .part_begin = part_begin,
    .part_publish = part_publish,
    .parts = parts,
    .parts_release = parts_release,
    .flush = flush,
    .sum_begin = sum_begin,
    .sum_publish = sum_publish,
    .sum = sum,
    .sum_release = sum_release,
    .wait_begin = wait_begin,
    .wait_cancel = wait_cancel,
    .wait = wait,
    .wake = wake,
};
