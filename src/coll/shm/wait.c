/* SPDX-License-Identifier: MIT */
/*
 * wait.c - waits with a deadline, and notices that a peer is gone. It checks peers only when a wait has become slow, so
 * a healthy call pays nothing for it.
 */
#include <assert.h>
#include <poll.h>

#include "coll/shm/shm.h"

enum { SLICE_NS = 20000000, SHORT_SLICE_NS = 1000000 };

/* Does some rank still need this peer in the current call? */
static bool needed(const struct shm *shm, int rank)
{
    return rank != shm->coll.rank && atomic_load(&shm->segments[rank].header->finished) < shm->coll.call;
}

/* Fails the group if a peer that the call needs is gone. */
static void look_at_peers(struct shm *shm)
{
    struct pollfd lifelines[MMARN_MAX_RANKS];
    for (int rank = 0; rank < shm->coll.world_size; rank++)
        lifelines[rank] = (struct pollfd){.fd = shm->peers[rank].lifeline};
    int hung_up = poll(lifelines, (nfds_t)shm->coll.world_size, 0);
    for (int rank = 0; rank < shm->coll.world_size; rank++) {
        bool dead = hung_up > 0 && lifelines[rank].revents & (POLLHUP | POLLERR);
        /* Pairs with the store in leave, which comes before the hang-up and after everything that the rank did. */
        bool left = atomic_load(&shm->segments[rank].header->left);
        if ((dead || left) && needed(shm, rank)) {
            shm_failure_set(shm, left ? SHM_FAILURE_LEFT : SHM_FAILURE_DIED, rank, shm->coll.call);
            return;
        }
    }
}

/*
 * The rank that a timed-out wait was for: a peer that has not come to this call, else one that is not waiting itself.
 */
static int culprit(const struct shm *shm)
{
    for (int rank = 0; rank < shm->coll.world_size; rank++)
        if (needed(shm, rank) && atomic_load(&shm->segments[rank].header->position) < shm->coll.call)
            return rank;
    for (int rank = 0; rank < shm->coll.world_size; rank++)
        if (needed(shm, rank) && !atomic_load(&shm->segments[rank].header->event.waiters))
            return rank;
    return -1;
}

/* Asks, between two slices of sleep, whether the caller of the library wants the wait to end. */
static void ask_caller(struct shm *shm)
{
    if (coll_interrupted(&shm->coll.interrupt))
        shm_failure_set(shm, SHM_FAILURE_ABORT, -1, 0);
}

/* Sleeps until the event is notified, the group fails, or the time is over. False: the time is over. */
static bool sleep_until(struct shm *shm, uint32_t ticket, int64_t deadline, int64_t slice)
{
    struct sync_event *event = &shm_own(shm)->event;
    for (;;) {
        look_at_peers(shm);
        int64_t rest = deadline - sync_now();
        if (shm_failure_is_set(shm))
            return true;
        if (rest <= 0)
            return false;
        if (sync_event_sleep(event, ticket, rest < slice ? rest : slice))
            return true;
        ask_caller(shm);
    }
}

uint32_t shm_wait_begin(struct coll *coll)
{
    const struct shm *shm = shm_of(coll);
    uint32_t ticket = sync_event_enter(&shm_own(shm)->event);
    /* Pairs with the increment in shm_ring_flush: the next poll sees what a peer flushed before this, and a peer that
       flushes after it sees that this rank waits. */
    for (int rank = 0; rank < coll->world_size; rank++)
        (void)atomic_load(&shm->segments[rank].header->flushes);
    return ticket;
}

bool shm_wait(struct coll *coll, uint32_t ticket, struct error *error)
{
    struct shm *shm = shm_of(coll);
    struct sync_event *event = &shm_own(shm)->event;
    int64_t deadline = sync_deadline(coll->timeout_ms);
    if (!shm_failure_is_set(shm) &&
        !sync_event_spin(event, ticket, coll->oversubscribed ? SYNC_SPIN_SHARED_NS : SYNC_SPIN_NS)) {
        shm_place_apart(shm);
        if (!sleep_until(shm, ticket, deadline, SLICE_NS))
            shm_failure_set(shm, SHM_FAILURE_TIMEOUT, culprit(shm), shm->coll.call);
    }
    sync_event_exit(event);
    return shm_failure_check(shm, error);
}

static bool all_finished(const struct shm *shm, uint64_t call)
{
    for (int rank = 0; rank < shm->coll.world_size; rank++)
        /* Pairs with the stores in descriptors.c: a rank that has finished a call reads nothing of it any more. */
        if (rank != shm->coll.rank && atomic_load(&shm->segments[rank].header->finished) < call)
            return false;
    return true;
}

bool shm_wait_finished(struct shm *shm, uint64_t call)
{
    assert(call <= shm->coll.call);
    int64_t deadline = sync_deadline(shm->coll.timeout_ms);
    struct sync_event *event = &shm_own(shm)->event;
    while (!all_finished(shm, call) && !shm_failure_is_set(shm)) {
        /* Finishing a call wakes nobody, because then every call would. So this rare wait looks again by itself. */
        uint32_t ticket = sync_event_enter(event);
        look_at_peers(shm);
        int64_t rest = deadline - sync_now();
        if (rest > 0)
            sync_event_sleep(event, ticket, rest < SHORT_SLICE_NS ? rest : SHORT_SLICE_NS);
        else
            shm_failure_set(shm, SHM_FAILURE_TIMEOUT, culprit(shm), shm->coll.call);
        sync_event_exit(event);
        ask_caller(shm);
    }
    return !shm_failure_is_set(shm);
}
