/*
 * self.c - the transport of a group of one rank: private memory, and the rank's own threads to wait for. It is also the
 * model for a new transport: everything that coll.h promises, with nothing between processes.
 *
 * Parts and sums go through two rings of buffers. Tile t uses slot t mod count, and a slot's turn says whose it is:
 * 2 * t  free for tile t      2 * t + 1  tile t's contents are there
 */
#include <stdatomic.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/sync.h"
#include "coll/transports.h"

enum { SPIN_NS = 50000, SPIN_OVERSUBSCRIBED_NS = 1000, SLOTS_LEAST = 4, SLOTS_SPARE = 2 };

struct slot {
    _Alignas(64) _Atomic int64_t turn;
};

struct ring {
    struct slot *slots;
    float *data; /* COLL_TILE_ELEMENTS for each slot */
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
    memory_free(self->parts.slots);
    memory_free(self->parts.data);
    memory_free(self->sums.slots);
    memory_free(self->sums.data);
    memory_free(self);
}

static bool ring_create(struct ring *ring, int count)
{
    ring->slots = memory_alloc((size_t)count, sizeof *ring->slots);
    ring->data = memory_alloc((size_t)count, COLL_TILE_ELEMENTS * sizeof *ring->data);
    return ring->slots && ring->data;
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
    for (int i = 0; i < self->count; i++) {
        atomic_store(&self->parts.slots[i].turn, 2 * i);
        atomic_store(&self->sums.slots[i].turn, 2 * i);
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

/* The tile's buffer when its turn has come, else NULL. Pairs with turn_set, whose thread filled or emptied it. */
static float *at_turn(struct coll *coll, const struct ring *ring, int64_t tile, int phase)
{
    int64_t slot = tile % self_of(coll)->count;
    if (atomic_load(&ring->slots[slot].turn) != 2 * tile + phase)
        return NULL;
    return ring->data + slot * COLL_TILE_ELEMENTS;
}

static void turn_set(struct coll *coll, const struct ring *ring, int64_t tile, int64_t turn)
{
    struct self *self = self_of(coll);
    atomic_store(&ring->slots[tile % self->count].turn, turn);
    sync_bell_ring(&self->bell);
}

static float *part_begin(struct coll *coll, int64_t tile)
{
    return at_turn(coll, &self_of(coll)->parts, tile, 0);
}

static void part_publish(struct coll *coll, int64_t tile)
{
    turn_set(coll, &self_of(coll)->parts, tile, 2 * tile + 1);
}

static bool parts(struct coll *coll, int64_t tile, const float *arrived[MMARN_MAX_RANKS])
{
    arrived[0] = at_turn(coll, &self_of(coll)->parts, tile, 1);
    return arrived[0] != NULL;
}

static void parts_release(struct coll *coll, int64_t tile)
{
    turn_set(coll, &self_of(coll)->parts, tile, 2 * (tile + self_of(coll)->count));
}

static void *sum_begin(struct coll *coll, int64_t tile)
{
    return at_turn(coll, &self_of(coll)->sums, tile, 0);
}

static void sum_publish(struct coll *coll, int64_t tile)
{
    turn_set(coll, &self_of(coll)->sums, tile, 2 * tile + 1);
}

static const void *sum(struct coll *coll, int64_t tile)
{
    return at_turn(coll, &self_of(coll)->sums, tile, 1);
}

static void sum_release(struct coll *coll, int64_t tile)
{
    turn_set(coll, &self_of(coll)->sums, tile, 2 * (tile + self_of(coll)->count));
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
    .sum_begin = sum_begin,
    .sum_publish = sum_publish,
    .sum = sum,
    .sum_release = sum_release,
    .wait_begin = wait_begin,
    .wait_cancel = wait_cancel,
    .wait = wait,
    .wake = wake,
};
