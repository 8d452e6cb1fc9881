/* SPDX-License-Identifier: MIT */
/* comm.h - what a group handle holds, and how a call takes and leaves it. */
#ifndef MMARN_OP_COMM_H
#define MMARN_OP_COMM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "coll/transport.h"
#include "gemm/gemm.h"
#include "op/turn.h"

struct mmarn_comm {
    struct coll *coll;
    int threads;
    char name[MMARN_MAX_NAME + 1];      /* "" if it has none */
    pthread_t creator;                  /* where ranks share a name, the calling thread's rank is found by this */
    struct turn turn;                   /* taken by comm_enter, given back by comm_leave */
    atomic_bool forked;                 /* set in the child of a fork, before any code of the child runs */
    struct gemm_scratch **scratch;      /* one per thread, made when first needed */
    struct mmarn_comm *next;            /* registry */
    uint64_t serial;                    /* tells groups apart that had the same address */
    struct coll_interrupt interrupt;    /* for a thread that waits for its turn */
    char call_name[MMARN_MAX_NAME + 1]; /* of the next collective call, where calls do not queue; "" for none */
};

/* Errors: those of mmarn_comm_create, except that a name is taken already. */
bool comm_create(const mmarn_id *id, const mmarn_comm_config *config, mmarn_comm **comm, struct error *error);
void comm_destroy(mmarn_comm *comm);

/*
 * Names the next collective call; NULL takes the name back. Where calls queue, this is the calling thread's next call.
 * comm_call_name gives the name of the current call, or NULL; the end of the call forgets it.
 */
bool comm_name_next(mmarn_comm *comm, const char *name, struct error *error);
const char *comm_call_name(const mmarn_comm *comm);
void comm_forget_name(mmarn_comm *comm);

/* This rank's scratch for matmuls, one per thread; NULL: MEMORY. */
struct gemm_scratch **comm_scratch(mmarn_comm *comm, struct error *error);

/* Opens and closes a call. FORKED or BUSY: this handle cannot be used now. */
bool comm_enter(mmarn_comm *comm, struct error *error);
void comm_leave(mmarn_comm *comm);

#endif
