/* SPDX-License-Identifier: MIT */
/*
 * mmarn_group.h - groups of ranks: how to name, join and leave one. Include mmarn.h, which states the conventions.
 */
#ifndef MMARN_GROUP_H
#define MMARN_GROUP_H

#include "mmarn_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Names a group: 64 bytes with a random nonce. Make one, send it to every rank by any channel, and use it once. */
typedef struct mmarn_id {
    uint8_t bytes[64];
} mmarn_id;

/* Fills *id. Errors: NULL, SYSTEM (the system gives no random numbers). */
MMARN_API mmarn_status mmarn_id_create(mmarn_id *id);

/*
 * An id as text, for channels that carry text: 128 hexadecimal digits and a terminating zero, MMARN_ID_TEXT_SIZE bytes
 * in all. size is the size of text, at least MMARN_ID_TEXT_SIZE. Reading accepts letters of either case, and ids only.
 * Errors: NULL, ARGUMENT (size; a text or an id that mmarn_id_create did not make).
 */
#define MMARN_ID_TEXT_SIZE 129
MMARN_API mmarn_status mmarn_id_to_text(const mmarn_id *id, char *text, size_t size);
MMARN_API mmarn_status mmarn_id_from_text(const char *text, mmarn_id *id);

/*
 * Reads the environment variables that `mmarn launch` sets for each rank: MMARN_ID (128 hexadecimal digits), MMARN_RANK
 * and MMARN_WORLD_SIZE. Errors: NULL, ARGUMENT (a variable is missing or malformed; the sentence names it).
 */
MMARN_API mmarn_status mmarn_id_from_env(mmarn_id *id, int32_t *rank, int32_t *world_size);

/* One rank's membership in a group. Ranks may be processes, threads of one process, or a mixture. */
typedef struct mmarn_comm mmarn_comm;

/* mmarn_comm_config.flags */
enum {
    /*
     * If another thread of this rank is inside a call on the same group, a call waits its turn, in the order of
     * arrival, instead of failing with BUSY. Calls still meet by their number, so the threads must come in the same
     * order on all ranks. A name (mmarn_comm_name_next), which then belongs to its thread, catches those that do not.
     * The wait for a turn has no deadline of its own; the calls before it have theirs.
     */
    MMARN_QUEUE_CALLS = 1
};

typedef struct mmarn_comm_config {
    size_t struct_size;
    /* NULL, or 1 .. 127 printable characters, unique in this process and rank; for mmarn_comm_find. */
    const char *name;
    const char *transport; /* NULL or "auto": "self" for one rank, else "shm"; or one of these by name */
    int32_t rank;          /* 0 .. world_size - 1 */
    int32_t world_size;    /* 1 .. MMARN_MAX_RANKS */
    int32_t threads;       /* of this rank, 1 .. MMARN_MAX_THREADS; 0: its share of the processors that this process
                              may use, at most OMP_NUM_THREADS. Calls work with those that the system grants */
    int32_t timeout_ms;    /* of joining and of every later wait; 0: 300 000; negative: none */
    /*
     * NULL, or a function that is called every 1 to 20 ms while this rank waits for others, in joining and in calls.
     * Any thread of the call may call it, and several may at once. If it returns nonzero, the wait ends and the group
     * is aborted, as by mmarn_comm_abort. It must not call the library. It is for runtimes that handle signals
     * themselves, as Python does.
     */
    int32_t (*interrupted)(void *ctx);
    void *interrupted_ctx;
    uint64_t flags; /* MMARN_QUEUE_CALLS */
} mmarn_comm_config;

#define MMARN_COMM_CONFIG_INIT {sizeof(mmarn_comm_config), NULL, NULL, 0, 1, 0, 0, NULL, NULL, 0}

/*
 * MMARN_COMM_CONFIG_INIT as a function, for languages without C's macros. Fills struct_size bytes, which is the size of
 * the caller's mmarn_comm_config. Errors: NULL, ARGUMENT (no call would accept this struct_size).
 */
MMARN_API mmarn_status mmarn_comm_config_init(mmarn_comm_config *config, size_t struct_size);

/*
 * Joins a group. Collective over the ranks that hold the same id. A group of one needs no id (NULL).
 * On success the caller owns *comm, and must give it to mmarn_comm_destroy.
 * Memory, beside the caller's tensors and packed weights: at most 4 MiB for a rank of one thread and 2 MiB for each
 * further thread, whatever the shapes and the number of ranks. The shared part is allocated when this returns.
 * Errors: NULL, ARGUMENT (rank, world_size, threads, name, struct_size), UNSUPPORTED (transport), MISMATCH (a peer
 * joined with another world_size, the same rank or another version of the library), TIMEOUT (names the ranks that did
 * not join), PEER, MEMORY, SYSTEM.
 */
MMARN_API mmarn_status mmarn_comm_create(const mmarn_id *id, const mmarn_comm_config *config, mmarn_comm **comm);

/*
 * Finds the group that this process joined under a name. If ranks are threads and several of them joined under the
 * name, it finds the one that the calling thread created. The creator keeps owning *comm.
 * Errors: NULL, ARGUMENT (no such name).
 */
MMARN_API mmarn_status mmarn_comm_find(const char *name, mmarn_comm **comm);

/* This member's rank and its group's size. Errors: NULL. */
MMARN_API mmarn_status mmarn_comm_rank(const mmarn_comm *comm, int32_t *rank, int32_t *world_size);

/*
 * Names this rank's next collective call on the group. The call then meets only calls that the other ranks give the
 * same name: another name, or none, is a MISMATCH whose sentence has both. Every call uses its name up, also one that
 * fails. The name is 1 to 127 printable characters, and is copied; NULL removes it. With MMARN_QUEUE_CALLS it names the
 * calling thread's next call on the group, and a thread has one such name at a time, for one group. Local.
 * Errors: NULL (comm), ARGUMENT (name), FORKED, BUSY; they leave the name as it was.
 */
MMARN_API mmarn_status mmarn_comm_name_next(mmarn_comm *comm, const char *name);

/*
 * Takes the place of this rank's next collective call, if its caller cannot make it. The call fails on the other ranks
 * with MISMATCH and "rank R refused the call: " sentence, and the group goes on. For bindings that check arguments
 * themselves. Up to 199 bytes of sentence are copied. Collective, like the call that it replaces, but it waits for no
 * other rank.
 * Errors: NULL, FORKED, BUSY.
 */
MMARN_API mmarn_status mmarn_comm_refuse(mmarn_comm *comm, const char *sentence);

/*
 * Makes the pending call and every later call on the group fail with ABORTED, on all ranks. Any thread of any rank may
 * call it. NULL is ignored.
 */
MMARN_API void mmarn_comm_abort(mmarn_comm *comm);

/*
 * Leaves the group. Not collective. Peers that still need this rank get PEER. Its operators must be destroyed first,
 * and none of its calls may be running. NULL is ignored.
 */
MMARN_API void mmarn_comm_destroy(mmarn_comm *comm);

#ifdef __cplusplus
}
#endif
#endif
