/* SPDX-License-Identifier: MIT */
/*
 * toy.h - a transport as simple as docs/adding-a-transport.md allows: one lock over memory that forked ranks inherit.
 * It is slow; the tests of groups run on it as they do on the library's own.
 *
 * The memory is mapped when the program starts and holds a few groups, found by the nonce of their id. The first rank
 * to join creates the group. Tile t has the number base + t, where base counts the tiles of earlier calls; it goes into
 * slot number mod SLOTS of a rank's ring, which is free once all ranks have released what was there before.
 */
#ifndef MMARN_TESTS_TOY_H
#define MMARN_TESTS_TOY_H

#include <pthread.h>

#include "coll/id.h"
#include "coll/transports.h"

enum { GROUPS = 16, RANKS = 8, SLOTS = 24, TICK_NS = 2000000 };

struct member {
    bool here, left;
    int pid, threads, timeout_ms;
    struct sync_event event;
    uint64_t opened, finished; /* numbers of calls */
    struct coll_descriptor posted[2];
    bool empty[2];
    uint64_t base;                      /* the number of tiles in finished calls */
    uint64_t released[COLL_RINGS];      /* all tiles with lower numbers */
    uint64_t stamps[COLL_RINGS][SLOTS]; /* call << 32 | tile + 1 */
};

/* The reason why the group has failed. */
enum cause { HEALTHY, ABORTED, BROKEN, DIED, LEFT, TIMEOUT };

struct group {
    bool used;
    uint8_t nonce[COLL_NONCE_SIZE];
    int world_size;
    enum cause cause;
    int by, about;
    uint64_t from; /* the first call that fails */
    struct member members[RANKS];
};

struct arena {
    pthread_mutex_t lock;
    struct group groups[GROUPS];
    float data[GROUPS][RANKS][COLL_RINGS][SLOTS][COLL_TILE_ELEMENTS];
};
extern struct arena *toy_arena;

struct toy {
    struct coll coll;
    struct group *group;
    bool forked;
    int processes[RANKS]; /* descriptors that become readable when a peer's process ends; -1: none */
};

static inline struct toy *toy_of(struct coll *coll)
{
    return (struct toy *)coll;
}

static inline struct member *toy_own(const struct toy *toy)
{
    return &toy->group->members[toy->coll.rank];
}

/* toy_group.c */
void toy_lock(void);
void toy_unlock(void);
/* Releases the lock for a moment. */
void toy_pause(void);
bool toy_supports(const struct coll_options *options, const char **why);
bool toy_join(const struct coll_options *options, struct coll **coll, struct error *error);
void toy_leave(struct coll *coll);

/* toy.c, under the lock. */
void toy_wake_all(struct group *group);
void toy_fail(struct toy *toy, enum cause cause, int about, uint64_t from);
bool toy_healthy(const struct toy *toy, struct error *error);

#endif
