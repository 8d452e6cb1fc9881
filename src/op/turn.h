/* SPDX-License-Identifier: MIT */
/*
 * turn.h - one call of a rank at a time. A second thread of the rank is sent away, or, if the group was joined with a
 * queue, waits for its turn in the order of arrival.
 */
#ifndef MMARN_OP_TURN_H
#define MMARN_OP_TURN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arithmetic.h"

struct turn {
    bool queued;
    atomic_flag busy;     /* without a queue: taken by turn_take, given back by turn_leave; they pair with each other */
    pthread_mutex_t lock; /* with a queue: guards the two numbers */
    pthread_cond_t moved;
    uint64_t arrived, serving; /* a thread takes the number `arrived`; its turn has come when that equals `serving` */
};

bool turn_init(struct turn *turn, bool queued);
void turn_destroy(struct turn *turn);

/* False: another thread has the turn, and there is no queue. tick, unless NULL, is called every 20 ms of a wait. */
bool turn_take(struct turn *turn, void (*tick)(void *ctx), void *ctx);
void turn_leave(struct turn *turn);

#endif
