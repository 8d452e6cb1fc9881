/*
 * shm_wait.c - waiting with a deadline, seeing that a peer is gone, and failing the group so that all ranks tell the
 * same story.
 *
 * The failure word in rank 0's segment holds who failed, how, and from which call on: a rank that is still in an
 * earlier call, which can be completed, is not disturbed. An earlier call takes the place of a later one, never the
 * other way round. Peers are looked at only when a wait has become slow, so a healthy call pays nothing for it.
 */
#include "coll/shm.h"

#include <poll.h>

#include "base/error.h"

enum { SPIN_NS = 50000, SPIN_OVERSUBSCRIBED_NS = 1000, SLICE_NS = 20000000, SHORT_SLICE_NS = 1000000 };

/* The failure word: call (most significant), about + 1, by, kind. */
enum { KIND_BITS = 4, RANK_BITS = 7, CALL_SHIFT = KIND_BITS + 2 * RANK_BITS };

static uint64_t failure_word(enum shm_failure kind, int by, int about, uint64_t call)
{
    return call << CALL_SHIFT | (uint64_t)(about + 1) << (KIND_BITS + RANK_BITS) | (uint64_t)by << KIND_BITS |
           (uint64_t)kind;
}

static _Atomic uint64_t *failure_of(const struct shm *shm)
{
    return &shm->segments[0].header->failure;
}

/* Has the group failed for the call that this rank is in? */
static bool failed(const struct shm *shm)
{
    uint64_t word = atomic_load(failure_of(shm));
    return word && word >> CALL_SHIFT <= shm->call;
}

void shm_fail(struct shm *shm, enum shm_failure kind, int about, uint64_t call)
{
    uint64_t word = failure_word(kind, shm->coll.rank, about < 0 ? -1 : about, call);
    uint64_t seen = atomic_load(failure_of(shm));
    while (!seen || call < seen >> CALL_SHIFT)
        if (atomic_compare_exchange_weak(failure_of(shm), &seen, word))
            break;
    shm_ring_all(shm);
}

mmarn_status shm_status(struct shm *shm)
{
    if (!failed(shm))
        return MMARN_OK;
    uint64_t word = atomic_load(failure_of(shm));
    enum { RANK_MASK = (1 << RANK_BITS) - 1 };
    int by = (int)(word >> KIND_BITS & RANK_MASK) % MMARN_MAX_RANKS;
    int about = (int)(word >> (KIND_BITS + RANK_BITS) & RANK_MASK) - 1;
    const struct shm_peer *peer = &shm->peers[about < 0 ? 0 : about % MMARN_MAX_RANKS];
    int timeout_ms = shm->peers[by].timeout_ms;
    switch ((enum shm_failure)(word & ((1 << KIND_BITS) - 1))) {
    case SHM_DIED:
        return error_set(MMARN_ERR_PEER, "rank %d (pid %d) died", about, (int)peer->pid);
    case SHM_LEFT:
        return error_set(MMARN_ERR_PEER, "rank %d left the group", about);
    case SHM_TIMED_OUT:
        if (about < 0)
            return error_set(MMARN_ERR_TIMEOUT, "rank %d waited %d ms for its peers", by, timeout_ms);
        return error_set(MMARN_ERR_TIMEOUT, "rank %d waited %d ms for rank %d", by, timeout_ms, about);
    case SHM_ABORTED:
        return error_set(MMARN_ERR_ABORTED, "rank %d aborted the group", by);
    case SHM_FAILED:
        break;
    }
    return error_set(MMARN_ERR_PEER, "rank %d failed in the middle of a call", by);
}

void shm_ring_all(struct shm *shm)
{
    for (int rank = 0; rank < shm->coll.world_size; rank++)
        sync_bell_ring(&shm->segments[rank].header->bell);
}

/* Does anybody still need this peer in the current call? */
static bool needed(const struct shm *shm, int rank)
{
    return rank != shm->coll.rank && atomic_load(&shm->segments[rank].header->finished) < shm->call;
}

/* Fails the group when a peer that the call needs is gone. */
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
            shm_fail(shm, left ? SHM_LEFT : SHM_DIED, rank, shm->call);
            return;
        }
    }
}

/* Whom a wait that has run out was for: a peer that has not come to this call, else one that is not waiting itself. */
static int culprit(const struct shm *shm)
{
    for (int rank = 0; rank < shm->coll.world_size; rank++)
        if (needed(shm, rank) && atomic_load(&shm->segments[rank].header->position) < shm->call)
            return rank;
    for (int rank = 0; rank < shm->coll.world_size; rank++)
        if (needed(shm, rank) && !atomic_load(&shm->segments[rank].header->bell.waiters))
            return rank;
    return -1;
}

/* Between two slices of sleep: does the caller of the library want the wait to end? */
static void ask_caller(struct shm *shm)
{
    if (coll_interrupted(&shm->coll.interrupt))
        shm_fail(shm, SHM_ABORTED, -1, 0);
}

/* Sleeps until the bell rings, the group fails, or the time is over; false: the time is over. */
static bool sleep_until(struct shm *shm, uint32_t ticket, int64_t deadline, int64_t slice)
{
    struct sync_bell *bell = &shm_own(shm)->bell;
    for (;;) {
        look_at_peers(shm);
        int64_t rest = deadline - sync_now();
        if (failed(shm))
            return true;
        if (rest <= 0)
            return false;
        if (sync_bell_sleep(bell, ticket, rest < slice ? rest : slice))
            return true;
        ask_caller(shm);
    }
}

uint32_t shm_wait_begin(struct coll *coll)
{
    const struct shm *shm = shm_of(coll);
    uint32_t ticket = sync_bell_enter(&shm_own(shm)->bell);
    /* Pairs with the increment in shm_flush: what a peer flushed before this, the next poll sees; and who flushes after
       it sees that somebody waits. */
    for (int rank = 0; rank < coll->world_size; rank++)
        (void)atomic_load(&shm->segments[rank].header->flushes);
    return ticket;
}

void shm_wait_cancel(struct coll *coll)
{
    sync_bell_exit(&shm_own(shm_of(coll))->bell);
}

mmarn_status shm_wait(struct coll *coll, uint32_t ticket)
{
    struct shm *shm = shm_of(coll);
    struct sync_bell *bell = &shm_own(shm)->bell;
    int64_t deadline = sync_deadline(coll->timeout_ms);
    if (!failed(shm) && !sync_bell_spin(bell, ticket, coll->oversubscribed ? SPIN_OVERSUBSCRIBED_NS : SPIN_NS)) {
        shm_place_apart(shm);
        if (!sleep_until(shm, ticket, deadline, SLICE_NS))
            shm_fail(shm, SHM_TIMED_OUT, culprit(shm), shm->call);
    }
    sync_bell_exit(bell);
    return shm_status(shm);
}

void shm_wake(struct coll *coll)
{
    sync_bell_ring(&shm_own(shm_of(coll))->bell);
}

static bool all_finished(const struct shm *shm, uint64_t call)
{
    for (int rank = 0; rank < shm->coll.world_size; rank++)
        /* Pairs with the stores in shm_call.c: a rank that has finished a call reads nothing of it any more. */
        if (rank != shm->coll.rank && atomic_load(&shm->segments[rank].header->finished) < call)
            return false;
    return true;
}

bool shm_wait_finished(struct shm *shm, uint64_t call)
{
    int64_t deadline = sync_deadline(shm->coll.timeout_ms);
    struct sync_bell *bell = &shm_own(shm)->bell;
    while (!all_finished(shm, call) && !failed(shm)) {
        /* Finishing a call rings no bell, lest every call should; so this rare wait looks again by itself. */
        uint32_t ticket = sync_bell_enter(bell);
        look_at_peers(shm);
        int64_t rest = deadline - sync_now();
        if (rest > 0)
            sync_bell_sleep(bell, ticket, rest < SHORT_SLICE_NS ? rest : SHORT_SLICE_NS);
        else
            shm_fail(shm, SHM_TIMED_OUT, culprit(shm), shm->call);
        sync_bell_exit(bell);
        ask_caller(shm);
    }
    return !failed(shm);
}
