/* SPDX-License-Identifier: MIT */
/*
 * failure.c - fails the group so that all ranks report the same failure.
 *
 * The failure word in rank 0's segment holds who failed, how, and from which call on. A rank that is still in an
 * earlier call can complete it undisturbed. A failure from an earlier call replaces one from a later call, never the
 * other way round.
 */
#include "base/error.h"

#include "coll/shm/shm.h"
#include <assert.h>

/* The failure word: call (most significant), about + 1, by, enum shm_failure. */
enum { FAILURE_BITS = 4, RANK_BITS = 7, CALL_SHIFT = FAILURE_BITS + 2 * RANK_BITS };

static uint64_t failure_word(enum shm_failure failure, int by, int about, uint64_t call)
{
    return call << CALL_SHIFT | (uint64_t)(about + 1) << (FAILURE_BITS + RANK_BITS) | (uint64_t)by << FAILURE_BITS |
           (uint64_t)failure;
}

static _Atomic uint64_t *failure_of(const struct shm *shm)
{
    return &shm->segments[0].header->failure;
}

bool shm_failure_is_set(const struct shm *shm)
{
    uint64_t word = atomic_load(failure_of(shm));
    return word && word >> CALL_SHIFT <= shm->coll.call;
}

void shm_failure_set(struct shm *shm, enum shm_failure failure, int about, uint64_t call)
{
    assert(about < shm->coll.world_size); /* not about the call: another thread may begin one while this one aborts */
    uint64_t word = failure_word(failure, shm->coll.rank, about < 0 ? -1 : about, call);
    uint64_t seen = atomic_load(failure_of(shm));
    while (!seen || call < seen >> CALL_SHIFT)
        if (atomic_compare_exchange_weak(failure_of(shm), &seen, word))
            break;
    shm_wake_all(shm);
}

bool shm_failure_check(const struct shm *shm, struct error *error)
{
    if (!shm_failure_is_set(shm))
        return true;
    uint64_t word = atomic_load(failure_of(shm));
    enum { RANK_MASK = (1 << RANK_BITS) - 1 };
    int by = (int)(word >> FAILURE_BITS & RANK_MASK) % MMARN_MAX_RANKS;
    int about = (int)(word >> (FAILURE_BITS + RANK_BITS) & RANK_MASK) - 1;
    const struct shm_peer *peer = &shm->peers[about < 0 ? 0 : about % MMARN_MAX_RANKS];
    int timeout_ms = shm->peers[by].timeout_ms;
    switch ((enum shm_failure)(word & ((1 << FAILURE_BITS) - 1))) {
    case SHM_FAILURE_DIED:
        return error_fail(error, MMARN_ERR_PEER, "rank %d (pid %d) died", about, (int)peer->pid);
    case SHM_FAILURE_LEFT:
        return error_fail(error, MMARN_ERR_PEER, "rank %d left the group", about);
    case SHM_FAILURE_TIMEOUT:
        if (about < 0)
            return error_fail(error, MMARN_ERR_TIMEOUT, "rank %d waited %d ms for its peers", by, timeout_ms);
        return error_fail(error, MMARN_ERR_TIMEOUT, "rank %d waited %d ms for rank %d", by, timeout_ms, about);
    case SHM_FAILURE_ABORT:
        return error_fail(error, MMARN_ERR_ABORTED, "rank %d aborted the group", by);
    case SHM_FAILURE_BROKEN:
        break;
    }
    return error_fail(error, MMARN_ERR_PEER, "rank %d failed in the middle of a call", by);
}

void shm_wake_all(struct shm *shm)
{
    for (int rank = 0; rank < shm->coll.world_size; rank++)
        sync_event_notify(&shm->segments[rank].header->event);
}
