/*
 * shm_ring.c - parts and sums on their way through the rings.
 *
 * Tile t of a call has a position in the part ring, part_base + t, and, with its owner's other tiles, one in the
 * owner's sum ring, sum_base + t / world_size. Position p uses slot p mod count. The bases grow only behind calls that
 * all ranks agreed on, so they are the same everywhere. A slot's stamp tells calls and tiles apart, so what a call that
 * came to nothing has left in a slot is never taken for something else.
 */
#include "coll/shm.h"

#include <string.h>

#include "base/memory.h"

/*
 * Enough bits of a tile's number to tell it from those that can have been in the same slot in this call: a ring never
 * holds tiles further apart than it is long.
 */
enum { TILE_BITS = 20, TILE_MASK = (1 << TILE_BITS) - 1 };

static uint64_t stamp_of(const struct shm *shm, int64_t tile)
{
    return shm->call << TILE_BITS | ((uint64_t)tile & TILE_MASK);
}

static uint64_t part_position(const struct shm *shm, int64_t tile)
{
    return shm->part_base + (uint64_t)tile;
}

static uint64_t sum_position(const struct shm *shm, int64_t tile)
{
    return shm->sum_base + (uint64_t)tile / (uint64_t)shm->coll.world_size;
}

static int slot_at(const struct shm_ring *ring, uint64_t position)
{
    return (int)(position % (uint64_t)ring->count);
}

static float *data_at(const struct shm_ring *ring, int slot)
{
    return ring->data + (size_t)slot * COLL_TILE_ELEMENTS;
}

static bool producer_create(struct shm_producer *producer, int count)
{
    producer->next = memory_alloc((size_t)count, sizeof *producer->next);
    producer->due_before = memory_alloc((size_t)count, sizeof *producer->due_before);
    return producer->next && producer->due_before;
}

bool shm_rings_create(struct shm *shm)
{
    const struct shm_segment *own = &shm->segments[shm->coll.rank];
    return producer_create(&shm->parts, own->parts.count) && producer_create(&shm->sums, own->sums.count);
}

void shm_rings_destroy(struct shm *shm)
{
    memory_free(shm->parts.next);
    memory_free(shm->parts.due_before);
    memory_free(shm->sums.next);
    memory_free(shm->sums.due_before);
}

/* The first position from base on that uses each slot is the one that may have it next. */
static void producer_begin(struct shm_producer *producer, const struct shm_ring *ring, uint64_t base)
{
    for (int i = 0; i < ring->count; i++) {
        uint64_t position = base + (uint64_t)i;
        int slot = slot_at(ring, position);
        atomic_store(&producer->next[slot], position);
        producer->due_before[slot] = atomic_load(&ring->slots[slot].due);
    }
}

static void producer_undo(const struct shm_producer *producer, const struct shm_ring *ring)
{
    for (int slot = 0; slot < ring->count; slot++)
        atomic_store(&ring->slots[slot].due, producer->due_before[slot]);
}

void shm_rings_begin(struct shm *shm)
{
    const struct shm_segment *own = &shm->segments[shm->coll.rank];
    producer_begin(&shm->parts, &own->parts, shm->part_base);
    producer_begin(&shm->sums, &own->sums, shm->sum_base);
}

void shm_rings_undo(struct shm *shm)
{
    /* Nothing is released or summed before all ranks have agreed, so only parts can have been published. */
    producer_undo(&shm->parts, &shm->segments[shm->coll.rank].parts);
}

void shm_rings_advance(struct shm *shm)
{
    uint64_t tiles = (uint64_t)shm->asked.tiles;
    uint64_t ranks = (uint64_t)shm->coll.world_size;
    shm->part_base += tiles;
    if (shm->asked.algorithm == COLL_OWNER)
        shm->sum_base += (tiles + ranks - 1) / ranks;
}

/* The buffer for a position, or NULL while an earlier tile has still to use the slot or to be released from it. */
static float *produce(const struct shm_producer *producer, const struct shm_ring *ring, uint64_t position)
{
    int slot = slot_at(ring, position);
    /* Pairs with the store in publish, by whichever thread had the slot before: `due` is then its own. */
    if (atomic_load(&producer->next[slot]) != position)
        return NULL;
    /* Pairs with the increments in release: whatever consumers read from the buffer, they have read. */
    if (atomic_load(&ring->slots[slot].releases) != atomic_load(&ring->slots[slot].due))
        return NULL;
    return data_at(ring, slot);
}

static void publish(struct shm_producer *producer, const struct shm_ring *ring, uint64_t position, uint64_t stamp,
                    int consumers)
{
    int slot = slot_at(ring, position);
    struct shm_slot *here = &ring->slots[slot];
    /* These pair with the loads in release and in half_released. */
    atomic_store(&here->position, position);
    atomic_store(&here->due, atomic_load(&here->due) + (uint64_t)consumers);
    /* Pairs with the load in produce. */
    atomic_store(&producer->next[slot], position + (uint64_t)ring->count);
    /* Pairs with the load in consume: whoever sees the stamp sees the buffer, and `due`. */
    atomic_store(&here->stamp, stamp);
}

static const float *consume(const struct shm_ring *ring, uint64_t position, uint64_t stamp)
{
    int slot = slot_at(ring, position);
    /* Pairs with the store in publish. */
    return atomic_load(&ring->slots[slot].stamp) == stamp ? data_at(ring, slot) : NULL;
}

/*
 * Has every tile of a half ring been released, the half that `position` lies in? Later tiles may be in the slots again:
 * they do not count, because their release may have to wait for whoever waits for one of these.
 */
static bool half_released(const struct shm_ring *ring, uint64_t position)
{
    const uint64_t half = (uint64_t)ring->count / 2, first = position / half * half;
    for (uint64_t i = first; i < first + half; i++) {
        const struct shm_slot *slot = &ring->slots[slot_at(ring, i)];
        /* In the reverse of publish's order: whoever sees a slot in use sees by what. */
        const uint64_t releases = atomic_load(&slot->releases);
        if (releases != atomic_load(&slot->due) && atomic_load(&slot->position) < first + (uint64_t)ring->count)
            return false;
    }
    return true;
}

/*
 * Gives a slot of `rank`'s ring back. That rank is told when half a ring has been released, so that a rank that has
 * waited finds several slots. It is told in time: a rank that waits for tile i's slot waits for position i - count,
 * whose half holds only tiles before i, which are released without i; and of those that release the last ones at the
 * same time, the last in the order of releases, which are seq_cst, sees all the others'.
 */
static void release(struct shm *shm, int rank, const struct shm_ring *ring, uint64_t position)
{
    struct shm_slot *slot = &ring->slots[slot_at(ring, position)];
    const uint64_t due = atomic_load(&slot->due);
    /* Pairs with the loads in produce and in half_released. */
    if (atomic_fetch_add(&slot->releases, 1) + 1 == due && half_released(ring, position))
        sync_bell_ring(&shm->segments[rank].header->bell);
}

static bool may_consume(const struct shm *shm)
{
    return atomic_load(&shm->verdict) == SHM_AGREED;
}

float *shm_part_begin(struct coll *coll, int64_t tile)
{
    struct shm *shm = shm_of(coll);
    return produce(&shm->parts, &shm->segments[coll->rank].parts, part_position(shm, tile));
}

/* Are all ranks' parts of a tile there? */
static bool complete(struct shm *shm, int64_t tile, const float *parts[MMARN_MAX_RANKS])
{
    uint64_t position = part_position(shm, tile);
    uint64_t stamp = stamp_of(shm, tile);
    for (int rank = 0; rank < shm->coll.world_size; rank++) {
        parts[rank] = consume(&shm->segments[rank].parts, position, stamp);
        if (!parts[rank])
            return false;
    }
    return true;
}

void shm_part_publish(struct coll *coll, int64_t tile)
{
    struct shm *shm = shm_of(coll);
    const float *parts[MMARN_MAX_RANKS];
    bool one_shot = shm->asked.algorithm == COLL_ONE_SHOT;
    publish(&shm->parts, &shm->segments[coll->rank].parts, part_position(shm, tile), stamp_of(shm, tile),
            one_shot ? coll->world_size : 1);
    /* A tile is of use to nobody before its last part is there, so only the rank that brings that one rings. Of ranks
       that publish at the same time, the last in the order of stamps, which are seq_cst, sees all the others'. */
    if (!complete(shm, tile, parts))
        return;
    if (one_shot)
        shm_ring_all(shm);
    else
        sync_bell_ring(&shm->segments[coll_owner(coll, tile)].header->bell);
}

bool shm_parts(struct coll *coll, int64_t tile, const float *parts[MMARN_MAX_RANKS])
{
    struct shm *shm = shm_of(coll);
    return may_consume(shm) && complete(shm, tile, parts);
}

void shm_parts_release(struct coll *coll, int64_t tile)
{
    struct shm *shm = shm_of(coll);
    for (int rank = 0; rank < coll->world_size; rank++)
        release(shm, rank, &shm->segments[rank].parts, part_position(shm, tile));
}

void *shm_sum_begin(struct coll *coll, int64_t tile)
{
    struct shm *shm = shm_of(coll);
    return produce(&shm->sums, &shm->segments[coll->rank].sums, sum_position(shm, tile));
}

void shm_sum_publish(struct coll *coll, int64_t tile)
{
    struct shm *shm = shm_of(coll);
    publish(&shm->sums, &shm->segments[coll->rank].sums, sum_position(shm, tile), stamp_of(shm, tile),
            coll->world_size);
    shm_ring_all(shm);
}

const void *shm_sum(struct coll *coll, int64_t tile)
{
    struct shm *shm = shm_of(coll);
    if (!may_consume(shm))
        return NULL;
    return consume(&shm->segments[coll_owner(coll, tile)].sums, sum_position(shm, tile), stamp_of(shm, tile));
}

void shm_sum_release(struct coll *coll, int64_t tile)
{
    struct shm *shm = shm_of(coll);
    int owner = coll_owner(coll, tile);
    release(shm, owner, &shm->segments[owner].sums, sum_position(shm, tile));
}
