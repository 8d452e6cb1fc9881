/* SPDX-License-Identifier: MIT */
/*
 * turn.c - see turn.h. A wait in the queue has no deadline of its own: every call before it has one, and when a group
 * has failed, all of them return at once.
 */
#include "op/turn.h"

#include <assert.h>
#include <time.h>

enum { TICK_NS = 20 * 1000 * 1000, SECOND_NS = 1000 * 1000 * 1000 };

bool turn_init(struct turn *turn, bool queued)
{
    pthread_condattr_t attributes;
    *turn = (struct turn){.queued = queued};
    atomic_flag_clear(&turn->busy);
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    const bool made = pthread_mutex_init(&turn->lock, NULL) == 0 && pthread_cond_init(&turn->moved, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return made;
}

void turn_destroy(struct turn *turn)
{
    pthread_cond_destroy(&turn->moved);
    pthread_mutex_destroy(&turn->lock);
}

static void wait_a_tick(struct turn *turn)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TICK_NS;
    if (until.tv_nsec >= SECOND_NS) {
        until.tv_nsec -= SECOND_NS;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&turn->moved, &turn->lock, &until);
}

bool turn_take(struct turn *turn, void (*tick)(void *ctx), void *ctx)
{
    if (!turn->queued)
        return !atomic_flag_test_and_set(&turn->busy);
    pthread_mutex_lock(&turn->lock);
    const uint64_t mine = turn->arrived++;
    while (turn->serving != mine) {
        if (!tick) {
            pthread_cond_wait(&turn->moved, &turn->lock);
            continue;
        }
        wait_a_tick(turn);
        /* The caller's function may take long, so the queue goes on meanwhile. */
        pthread_mutex_unlock(&turn->lock);
        tick(ctx);
        pthread_mutex_lock(&turn->lock);
    }
    pthread_mutex_unlock(&turn->lock);
    return true;
}

void turn_leave(struct turn *turn)
{
    if (!turn->queued) {
        atomic_flag_clear(&turn->busy);
        return;
    }
    pthread_mutex_lock(&turn->lock);
    assert(turn->serving < turn->arrived);
    turn->serving++;
    pthread_cond_broadcast(&turn->moved);
    pthread_mutex_unlock(&turn->lock);
}
