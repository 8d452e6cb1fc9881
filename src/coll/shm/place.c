/* SPDX-License-Identifier: MIT */
/*
 * place.c - ranks that share a processor by accident. When ranks sleep between calls, the system may wake two of them
 * on one processor while others are idle, and leave them there for tens of milliseconds. Each then spins during the
 * time that the other needs, and a call takes as long as a spin. So ranks note where they run, and a rank that has
 * waited long moves elsewhere. A rank that was bound to a processor cannot move. The other threads of a rank are left
 * to the system.
 */
#include "base/cpu.h"
#include "coll/shm/shm.h"

void shm_place_note(struct shm *shm)
{
    /* Pairs with the load in shm_place_apart. It is a hint and needs no order. */
    atomic_store_explicit(&shm_own(shm)->processor, cpu_current(), memory_order_relaxed);
}

void shm_place_apart(struct shm *shm)
{
    int taken[MMARN_MAX_RANKS];
    const int here = cpu_current();
    bool shared = false;
    if (shm->coll.oversubscribed || shm->coll.max_threads > 1)
        return;
    for (int rank = 0; rank < shm->coll.world_size; rank++) {
        taken[rank] = atomic_load_explicit(&shm->segments[rank].header->processor, memory_order_relaxed);
        /* Of two ranks only the later one moves, so that they do not both move to the same processor. */
        shared = shared || (rank < shm->coll.rank && taken[rank] == here);
    }
    if (shared) {
        cpu_avoid(taken, shm->coll.world_size);
        shm_place_note(shm);
    }
}
