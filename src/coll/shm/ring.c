/* SPDX-License-Identifier: MIT */
/*
 * ring.c - moves partials and sums through the rings.
 *
 * A tile has a number, base + t, and its partial lies in slot number mod count of each rank's ring of partials. Its sum
 * has a place in its owner's ring of sums, sum_base + t / world_size. Both bases grow only after calls that all ranks
 * agreed on, so they are the same on every rank. A slot's stamp tells calls and tiles apart, so the contents that a
 * dropped call has left in a slot are never taken for another tile.
 *
 * A rank publishes how far it has read in one word for each kind of ring. It looks at its peers' words only when it has
 * gone once around its ring. So a tile costs each reader one cache line for its stamp and the lines of its data, and no
 * counting.
 */
#include "coll/shm/shm.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

/*
 * Enough bits of a tile's number to tell it from all tiles that can have been in the same slot in this call: a ring
 * never holds tiles that are further apart than its length.
 */
enum { TILE_BITS = 20, TILE_MASK = (1 << TILE_BITS) - 1 };

static uint64_t stamp_of(const struct shm *shm, int64_t tile)
{
    return shm->coll.call << TILE_BITS | ((uint64_t)tile & TILE_MASK);
}

static uint64_t number_of(const struct shm *shm, int64_t tile)
{
    return shm->base + (uint64_t)tile;
}

/*
 * The position of a tile in a ring of its kind. The slot is that modulo the ring's length, which may differ between
 * ranks.
 */
static uint64_t place_of(const struct shm *shm, enum coll_ring kind, int64_t tile)
{
    return kind == COLL_PARTIALS ? number_of(shm, tile)
                                 : shm->sum_base + (uint64_t)tile / (uint64_t)shm->coll.world_size;
}

static int slot_of(const struct shm *shm, enum coll_ring kind, int rank, int64_t tile)
{
    assert(tile >= 0 && tile < shm->coll.shape.tiles);
    return (int)(place_of(shm, kind, tile) % (uint64_t)shm->segments[rank].rings[kind].count);
}

static float *data_at(const struct shm_ring *ring, int slot)
{
    return ring->data + (size_t)slot * COLL_TILE_ELEMENTS;
}

bool shm_rings_create(struct shm *shm)
{
    bool created = true;
    for (enum coll_ring kind = 0; kind < COLL_RINGS; kind++) {
        struct shm_producer *producer = &shm->producers[kind];
        producer->until =
            memory_alloc((size_t)shm->segments[shm->coll.rank].rings[kind].count, sizeof *producer->until);
        created = created && producer->until;
    }
    return created;
}

void shm_rings_destroy(struct shm *shm)
{
    for (enum coll_ring kind = 0; kind < COLL_RINGS; kind++)
        memory_free(shm->producers[kind].until);
}

void shm_rings_undo(struct shm *shm)
{
    /* No rank reads or sums before all ranks have agreed. So the ring holds only partials, and no rank will read
       them. */
    for (int slot = 0; slot < shm->segments[shm->coll.rank].rings[COLL_PARTIALS].count; slot++)
        if (shm->producers[COLL_PARTIALS].until[slot] > shm->base)
            shm->producers[COLL_PARTIALS].until[slot] = 0;
}

/* The lowest number that some rank has not read yet. */
static uint64_t read_by_all(const struct shm *shm, enum coll_ring kind)
{
    uint64_t low = UINT64_MAX;
    for (int rank = 0; rank < shm->coll.world_size; rank++) {
        /* Pairs with the store in release: that rank has read everything below the mark. */
        uint64_t mark = atomic_load(&shm->segments[rank].header->read[kind].tile);
        low = mark < low ? mark : low;
    }
    return low;
}

/*
 * Have all ranks read the tiles below `until`? If not, asks to be woken. For partials the request is for half a ring
 * more, so that a rank that has waited finds several free slots and, where ranks share a processor, makes several tiles
 * in each turn on it. The request will be met: the tile that wants the slot is a whole ring ahead of the one in it, and
 * all tiles before it have been published, so peers can read them without it.
 */
static bool is_free(struct shm *shm, enum coll_ring kind, uint64_t until)
{
    struct shm_producer *producer = &shm->producers[kind];
    if (until <= producer->seen)
        return true;
    producer->seen = read_by_all(shm, kind);
    if (until <= producer->seen)
        return true;
    const int half = kind == COLL_PARTIALS ? shm->segments[shm->coll.rank].rings[kind].count / 2 : 0;
    /* Pairs with the load in release: either that rank sees the request, or this one sees how far that rank has
       read. */
    atomic_store(&shm_own(shm)->wanted[kind].tile, until + (uint64_t)half);
    producer->seen = read_by_all(shm, kind);
    return until <= producer->seen;
}

/* The tile's buffer in this rank's ring, or NULL while some rank has not read its contents yet. */
static float *produce(struct shm *shm, enum coll_ring kind, int64_t tile)
{
    const struct shm_ring *ring = &shm->segments[shm->coll.rank].rings[kind];
    const int slot = slot_of(shm, kind, shm->coll.rank, tile);
    uint64_t *until = &shm->producers[kind].until[slot];
    if (!is_free(shm, kind, *until))
        return NULL;
    *until = number_of(shm, tile) + 1;
    return data_at(ring, slot);
}

static void publish(struct shm *shm, enum coll_ring kind, int64_t tile, memory_order order)
{
    const struct shm_ring *ring = &shm->segments[shm->coll.rank].rings[kind];
    /* Pairs with the load in consume: a rank that sees the stamp sees the buffer. */
    atomic_store_explicit(&ring->stamps[slot_of(shm, kind, shm->coll.rank, tile)], stamp_of(shm, tile), order);
}

static const float *consume(const struct shm *shm, enum coll_ring kind, int rank, int64_t tile)
{
    const struct shm_ring *ring = &shm->segments[rank].rings[kind];
    const int slot = slot_of(shm, kind, rank, tile);
    /* Pairs with the store in publish. */
    return atomic_load(&ring->stamps[slot]) == stamp_of(shm, tile) ? data_at(ring, slot) : NULL;
}

/* Wakes the ranks that asked for tiles which this rank has read lately, if it was the last rank to read them. */
static void wake_producers(struct shm *shm, enum coll_ring kind)
{
    const uint64_t now = atomic_load_explicit(&shm_own(shm)->read[kind].tile, memory_order_relaxed);
    for (int rank = 0; rank < shm->coll.world_size; rank++) {
        struct shm_header *header = shm->segments[rank].header;
        /* Pairs with the store in is_free. */
        const uint64_t wanted = atomic_load(&header->wanted[kind].tile);
        if (shm->told[kind] < wanted && wanted <= now && read_by_all(shm, kind) >= wanted)
            sync_event_notify(&header->event);
    }
    shm->told[kind] = now;
}

static bool one_shot(const struct shm *shm)
{
    return shm->coll.shape.algorithm == COLL_ONE_SHOT;
}

/* This rank has read all tiles below this one. */
static void release(struct shm *shm, enum coll_ring kind, int64_t tile)
{
    _Atomic uint64_t *mark = &shm_own(shm)->read[kind].tile;
    assert(tile <= shm->coll.shape.tiles && atomic_load_explicit(mark, memory_order_relaxed) <= number_of(shm, tile));
    if (one_shot(shm)) {
        /* Pairs with the load in read_by_all. */
        atomic_store_explicit(mark, number_of(shm, tile), memory_order_release);
        return;
    }
    /* Pairs with the same load. If several ranks come here at the same time, the last in the order of these stores,
       which are seq_cst, sees all the others. */
    atomic_store(mark, number_of(shm, tile));
    wake_producers(shm, kind);
}

void shm_rings_advance(struct shm *shm)
{
    const uint64_t tiles = (uint64_t)shm->coll.shape.tiles, ranks = (uint64_t)shm->coll.world_size;
    for (enum coll_ring kind = 0; kind < COLL_RINGS; kind++) {
        /* As in release. */
        atomic_store(&shm_own(shm)->read[kind].tile, shm->base + tiles);
        wake_producers(shm, kind);
    }
    shm->base += tiles;
    if (!one_shot(shm))
        shm->sum_base += (tiles + ranks - 1) / ranks;
}

void *shm_ring_begin(struct coll *coll, enum coll_ring kind, int64_t tile)
{
    return produce(shm_of(coll), kind, tile);
}

/* Have all ranks' partials of a tile arrived? */
static bool complete(const struct shm *shm, int64_t tile, const void *partials[MMARN_MAX_RANKS])
{
    for (int rank = 0; rank < shm->coll.world_size; rank++) {
        partials[rank] = consume(shm, COLL_PARTIALS, rank, tile);
        if (!partials[rank])
            return false;
    }
    return true;
}

void shm_ring_publish(struct coll *coll, enum coll_ring kind, int64_t tile)
{
    struct shm *shm = shm_of(coll);
    const void *partials[MMARN_MAX_RANKS];
    if (kind == COLL_PARTIALS && one_shot(shm)) {
        publish(shm, kind, tile, memory_order_release);
        return;
    }
    publish(shm, kind, tile, memory_order_seq_cst);
    if (kind == COLL_SUMS) {
        shm_wake_all(shm);
        return;
    }
    /* No rank can use a tile before its last partial is there, so only the rank that publishes the last one wakes the
       owner. If several ranks publish at the same time, the last in the order of stamps, which are seq_cst, sees all
       the others. */
    struct sync_event *owner = &shm->segments[coll_owner(coll, tile)].header->event;
    if (sync_event_waited_for(owner) && complete(shm, tile, partials))
        sync_event_notify(owner);
}

void shm_ring_flush(struct coll *coll)
{
    struct shm *shm = shm_of(coll);
    const void *partials[MMARN_MAX_RANKS];
    /* Pairs with the loads in shm_wait_begin. Stamps and marks are stored before it. If several ranks flush at the same
       time, the last sees the partials of all the others. */
    atomic_fetch_add(&shm_own(shm)->flushes, 1);
    for (int rank = 0; rank < coll->world_size; rank++) {
        struct shm_header *header = shm->segments[rank].header;
        if (!sync_event_waited_for(&header->event))
            continue;
        /* A rank waits for the lowest tile that it has not read. Pairs with the store in release. */
        const uint64_t next = atomic_load(&header->read[COLL_PARTIALS].tile) - shm->base;
        if (next < (uint64_t)shm->coll.shape.tiles && complete(shm, (int64_t)next, partials))
            sync_event_notify(&header->event);
    }
    wake_producers(shm, COLL_PARTIALS);
}

bool shm_ring_read(struct coll *coll, enum coll_ring kind, int64_t tile, const void *buffers[MMARN_MAX_RANKS])
{
    const struct shm *shm = shm_of(coll);
    if (kind == COLL_PARTIALS)
        return complete(shm, tile, buffers);
    buffers[0] = consume(shm, COLL_SUMS, coll_owner(coll, tile), tile);
    return buffers[0] != NULL;
}

void shm_ring_release(struct coll *coll, enum coll_ring kind, int64_t tile)
{
    release(shm_of(coll), kind, tile);
}
