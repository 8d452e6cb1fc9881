/* SPDX-License-Identifier: MIT */
/* toy.c - the toy's failures, descriptors, tiles and waits (toy.h). */
#include "toy.h"

#include <poll.h>
#include <string.h>

#include "base/error.h"

void toy_wake_all(struct group *group)
{
    for (int rank = 0; rank < group->world_size; rank++)
        sync_event_notify(&group->members[rank].event);
}

/* Under the lock. A failure of an earlier call replaces that of a later one. */
void toy_fail(struct toy *toy, enum cause cause, int about, uint64_t from)
{
    struct group *group = toy->group;
    if (group->cause == HEALTHY || from < group->from) {
        group->by = toy->coll.rank;
        group->about = about;
        group->from = from;
        group->cause = cause;
    }
    toy_wake_all(group);
}

static bool has_failed(const struct toy *toy)
{
    return toy->group->cause != HEALTHY && toy->group->from <= toy->coll.call;
}

bool toy_healthy(const struct toy *toy, struct error *error)
{
    const struct group *group = toy->group;
    const int by = group->by, about = group->about, ms = group->members[by].timeout_ms;
    if (!has_failed(toy))
        return true;
    switch (group->cause) {
    case ABORTED:
        return error_fail(error, MMARN_ERR_ABORTED, "rank %d aborted the group", by);
    case DIED:
        return error_fail(error, MMARN_ERR_PEER, "rank %d (pid %d) died", about, group->members[about].pid);
    case LEFT:
        return error_fail(error, MMARN_ERR_PEER, "rank %d left the group", about);
    case TIMEOUT:
        return about < 0 ? error_fail(error, MMARN_ERR_TIMEOUT, "rank %d waited %d ms for its peers", by, ms)
                         : error_fail(error, MMARN_ERR_TIMEOUT, "rank %d waited %d ms for rank %d", by, ms, about);
    default:
        return error_fail(error, MMARN_ERR_PEER, "rank %d failed in the middle of a call", by);
    }
}

/* Does the current call need this peer? */
static bool needs(const struct toy *toy, int rank)
{
    return rank != toy->coll.rank && toy->group->members[rank].finished < toy->coll.call;
}

static void look_at_peers(struct toy *toy)
{
    for (int rank = 0; rank < toy->group->world_size; rank++) {
        struct pollfd process = {.fd = toy->processes[rank], .events = POLLIN};
        const bool left = toy->group->members[rank].left, dead = process.fd >= 0 && poll(&process, 1, 0) > 0;
        if ((left || dead) && needs(toy, rank)) {
            toy_fail(toy, left ? LEFT : DIED, rank, toy->coll.call);
            return;
        }
    }
}

/* A peer that has not come to this call, otherwise one that is not waiting itself. */
static int culprit(const struct toy *toy)
{
    for (int rank = 0; rank < toy->group->world_size; rank++)
        if (needs(toy, rank) && toy->group->members[rank].opened < toy->coll.call)
            return rank;
    for (int rank = 0; rank < toy->group->world_size; rank++)
        if (needs(toy, rank) && !atomic_load(&toy->group->members[rank].event.waiters))
            return rank;
    return -1;
}

/* Under the lock, between two polls of a wait: ends the wait if it must end. */
static void look_around(struct toy *toy, int64_t deadline)
{
    look_at_peers(toy);
    if (coll_interrupted(&toy->coll.interrupt))
        toy_fail(toy, ABORTED, -1, 0);
    if (sync_now() > deadline && !has_failed(toy))
        toy_fail(toy, TIMEOUT, culprit(toy), toy->coll.call);
}

static void forked(struct coll *coll)
{
    toy_of(coll)->forked = true;
}

static void fail(struct coll *coll, enum coll_failure failure)
{
    toy_lock();
    if (failure == COLL_ABORTED)
        toy_fail(toy_of(coll), ABORTED, -1, 0);
    else
        toy_fail(toy_of(coll), BROKEN, -1, coll->call);
    toy_unlock();
}

/* ------------------------------------------------------------------------------------------------- descriptors */

/* A descriptor's place is free when all peers have finished the call before the last. */
static bool place_is_free(const struct toy *toy)
{
    for (int rank = 0; rank < toy->group->world_size; rank++)
        if (rank != toy->coll.rank && toy->group->members[rank].finished + 2 < toy->coll.call)
            return false;
    return true;
}

static bool post(struct coll *coll, const struct coll_descriptor *descriptor, bool last, struct error *error)
{
    struct toy *toy = toy_of(coll);
    const int64_t deadline = sync_deadline(coll->timeout_ms);
    const int place = (int)(coll->call % 2);
    toy_lock();
    while (!place_is_free(toy) && !has_failed(toy)) {
        toy_pause();
        look_around(toy, deadline);
    }
    const bool posted = last || toy_healthy(toy, error);
    if (!has_failed(toy)) {
        toy_own(toy)->empty[place] = !descriptor;
        if (descriptor)
            toy_own(toy)->posted[place] = *descriptor;
        toy_own(toy)->opened = coll->call;
        if (last) {
            toy_own(toy)->finished = coll->call;
            toy_wake_all(toy->group);
        }
    }
    toy_unlock();
    return posted;
}

static enum coll_presence peek(struct coll *coll, int rank, struct coll_descriptor *descriptor)
{
    const struct member *member = &toy_of(coll)->group->members[rank];
    const int place = (int)(coll->call % 2);
    enum coll_presence presence = COLL_NOT_YET;
    toy_lock();
    if (member->opened >= coll->call) {
        presence = member->empty[place] ? COLL_EMPTY : COLL_HERE;
        *descriptor = member->posted[place];
    }
    toy_unlock();
    return presence;
}

static void finish(struct coll *coll, enum coll_outcome outcome)
{
    struct toy *toy = toy_of(coll);
    struct member *member = toy_own(toy);
    toy_lock();
    if (outcome == COLL_DONE) {
        member->base += (uint64_t)coll->shape.tiles;
        for (int ring = 0; ring < COLL_RINGS; ring++)
            member->released[ring] = member->base;
    }
    member->finished = coll->call;
    toy_wake_all(toy->group);
    toy_unlock();
}

/* ------------------------------------------------------------------------------------------------------- tiles */

static uint64_t number_of(const struct toy *toy, int64_t tile)
{
    return toy_own(toy)->base + (uint64_t)tile;
}

static uint64_t stamp_of(const struct toy *toy, int64_t tile)
{
    return toy->coll.call << 32 | (uint64_t)(tile + 1);
}

static float *buffer_of(const struct toy *toy, int rank, enum coll_ring ring, int64_t tile)
{
    return toy_arena->data[toy->group - toy_arena->groups][rank][ring][number_of(toy, tile) % SLOTS];
}

static void *begin(struct coll *coll, enum coll_ring ring, int64_t tile)
{
    const struct toy *toy = toy_of(coll);
    bool free = true;
    toy_lock();
    for (int rank = 0; rank < coll->world_size; rank++)
        free = free && number_of(toy, tile) < toy->group->members[rank].released[ring] + SLOTS;
    toy_unlock();
    return free ? buffer_of(toy, coll->rank, ring, tile) : NULL;
}

static void publish(struct coll *coll, enum coll_ring ring, int64_t tile)
{
    struct toy *toy = toy_of(coll);
    toy_lock();
    toy_own(toy)->stamps[ring][number_of(toy, tile) % SLOTS] = stamp_of(toy, tile);
    toy_wake_all(toy->group);
    toy_unlock();
}

static bool read_tile(struct coll *coll, enum coll_ring ring, int64_t tile, const void *buffers[MMARN_MAX_RANKS])
{
    const struct toy *toy = toy_of(coll);
    const int first = ring == COLL_SUMS ? coll_owner(coll, tile) : 0;
    const int count = ring == COLL_SUMS ? 1 : coll->world_size;
    bool here = true;
    toy_lock();
    for (int i = 0; i < count; i++) {
        const struct member *member = &toy->group->members[first + i];
        here = here && member->stamps[ring][number_of(toy, tile) % SLOTS] == stamp_of(toy, tile);
        buffers[i] = buffer_of(toy, first + i, ring, tile);
    }
    toy_unlock();
    return here;
}

static void release(struct coll *coll, enum coll_ring ring, int64_t tile)
{
    struct toy *toy = toy_of(coll);
    toy_lock();
    toy_own(toy)->released[ring] = number_of(toy, tile);
    toy_wake_all(toy->group);
    toy_unlock();
}

static void flush(struct coll *coll)
{
    (void)coll; /* all peers have been told already */
}

/* ----------------------------------------------------------------------------------------------------- waiting */

static uint32_t wait_begin(struct coll *coll)
{
    return sync_event_enter(coll->event);
}

static bool wait(struct coll *coll, uint32_t ticket, struct error *error)
{
    struct toy *toy = toy_of(coll);
    const int64_t deadline = sync_deadline(coll->timeout_ms);
    bool over = false;
    while (!over) {
        over = sync_event_sleep(coll->event, ticket, TICK_NS);
        toy_lock();
        look_around(toy, deadline);
        over = over || has_failed(toy);
        toy_unlock();
    }
    sync_event_exit(coll->event);
    toy_lock();
    const bool healthy = toy_healthy(toy, error);
    toy_unlock();
    return healthy;
}

const struct coll_transport coll_transport_toy = {
    .name = "toy",
    .supports = toy_supports,
    .join = toy_join,
    .leave = toy_leave,
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
