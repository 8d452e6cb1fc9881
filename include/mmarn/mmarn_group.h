/*
 * mmarn_group.h - groups of ranks: naming one, joining it, leaving it. Include mmarn.h, which states the conventions.
 */
#ifndef MMARN_GROUP_H
#define MMARN_GROUP_H

#include "mmarn_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Names one group-to-be: 64 bytes with a random nonce. Make one, carry it to every rank by any channel, use it once. */
typedef struct mmarn_id {
    uint8_t bytes[64];
} mmarn_id;

/* Fills *id. Errors: NULL, SYSTEM (no randomness to be had). */
MMARN_API mmarn_status mmarn_id_create(mmarn_id *id);

/*
 * An id as text, for channels that carry text: 128 hexadecimal digits and a zero, MMARN_ID_TEXT_SIZE bytes in all.
 * size is that of text, at least MMARN_ID_TEXT_SIZE. Reading takes either case of letters, and nothing but an id.
 * Errors: NULL, ARGUMENT (size; a text or an id that mmarn_id_create did not make).
 */
#define MMARN_ID_TEXT_SIZE 129
MMARN_API mmarn_status mmarn_id_to_text(const mmarn_id *id, char *text, size_t size);
MMARN_API mmarn_status mmarn_id_from_text(const char *text, mmarn_id *id);

/*
 * Reads what `mmarn launch` gives each rank it starts: MMARN_ID (128 hexadecimal digits), MMARN_RANK and
 * MMARN_WORLD_SIZE. Errors: NULL, ARGUMENT (a variable is missing or malformed; the sentence names it).
 */
MMARN_API mmarn_status mmarn_id_from_env(mmarn_id *id, int32_t *rank, int32_t *world_size);

/* One rank's membership of a group. Ranks may be processes, or threads of one process, or a mixture. */
typedef struct mmarn_comm mmarn_comm;

/* mmarn_comm_config.flags */
enum {
    /*
     * A call while another thread of this rank is inside one on the same group waits its turn, in the order of arrival,
     * instead of failing with BUSY. Calls still meet by their number, so the threads of all ranks must come in one
     * order; a name (mmarn_comm_name_next), which is its thread's then, catches those that do not. A wait for a turn
     * has no deadline but those of the calls before it.
     */
    MMARN_QUEUE_CALLS = 1
};

typedef struct mmarn_comm_config {
    size_t struct_size;
    const char
        *name; /* optional: 1 .. 127 printable characters, unique in this process and rank; for mmarn_comm_find */
    const char *transport; /* NULL or "auto": "self" for one rank, else "shm"; or one of these by name */
    int32_t rank;          /* 0 .. world_size - 1 */
    int32_t world_size;    /* 1 .. MMARN_MAX_RANKS */
    int32_t threads;       /* of this rank, 1 .. MMARN_MAX_THREADS; 0: its share of the processors that this process
                              may use, at most OMP_NUM_THREADS. Calls work with those that the system grants */
    int32_t timeout_ms;    /* of joining and of every later wait; 0: 300 000; negative: none */
    /*
     * NULL, or asked every 1 to 20 ms while this rank waits for others, in joining and in calls, by any thread of the
     * call, maybe by several at once. Nonzero gives the wait up: the group is aborted, as by mmarn_comm_abort. Must not
     * call the library. For runtimes that have signals of their own to look at, as Python has.
     */
    int32_t (*interrupted)(void *ctx);
    void *interrupted_ctx;
    uint64_t flags; /* MMARN_QUEUE_CALLS */
} mmarn_comm_config;

#define MMARN_COMM_CONFIG_INIT {sizeof(mmarn_comm_config), NULL, NULL, 0, 1, 0, 0, NULL, NULL, 0}

/*
 * MMARN_COMM_CONFIG_INIT as a function, for languages without C's macros: fills struct_size bytes, the size of the
 * caller's mmarn_comm_config. Errors: NULL, ARGUMENT (struct_size is no size that a call would take).
 */
MMARN_API mmarn_status mmarn_comm_config_init(mmarn_comm_config *config, size_t struct_size);

/*
 * Joins a group. Collective over the ranks that hold the same id. A group of one needs no id (NULL).
 * On success *comm is the caller's, to be given to mmarn_comm_destroy.
 * Memory, beside the caller's tensors and packed weights: at most 4 MiB for a rank of one thread, 2 MiB for each
 * further thread, whatever the shapes and the number of ranks. The shared part of it is there when this returns.
 * Errors: NULL, ARGUMENT (rank, world_size, threads, name, struct_size), UNSUPPORTED (transport), MISMATCH (a peer
 * joined with another world_size, the same rank or another version of the library), TIMEOUT (names the ranks that did
 * not come), PEER, MEMORY, SYSTEM.
 */
MMARN_API mmarn_status mmarn_comm_create(const mmarn_id *id, const mmarn_comm_config *config, mmarn_comm **comm);

/*
 * The group that this process joined under a name. With ranks as threads several members share the name; then the
 * one that the calling thread created is found. *comm stays owned by whoever created it.
 * Errors: NULL, ARGUMENT (no such name).
 */
MMARN_API mmarn_status mmarn_comm_find(const char *name, mmarn_comm **comm);

/* This member's rank and its group's size. Errors: NULL. */
MMARN_API mmarn_status mmarn_comm_rank(const mmarn_comm *comm, int32_t *rank, int32_t *world_size);

/*
 * Names this rank's next collective call on the group, so that it meets only a call that the other ranks name alike: a
 * call of another name, or of none, is a MISMATCH whose sentence has both. A call uses its name up, whatever becomes of
 * it. 1 to 127 printable characters, copied; NULL takes the name back. With MMARN_QUEUE_CALLS it names the calling
 * thread's next call on the group, and a thread has one such name at a time, of one group. Local.
 * Errors: NULL (comm), ARGUMENT (name), FORKED, BUSY; the name is then what it was.
 */
MMARN_API mmarn_status mmarn_comm_name_next(mmarn_comm *comm, const char *name);

/*
 * Instead of this rank's next collective call, which its caller cannot make: the call fails on the other ranks with
 * MISMATCH and "rank R refused the call: " sentence, and the group goes on. For doors that check arguments themselves.
 * sentence is copied, up to 199 bytes of it. Collective, as the call that it stands for; waits for nobody's call.
 * Errors: NULL, FORKED, BUSY.
 */
MMARN_API mmarn_status mmarn_comm_refuse(mmarn_comm *comm, const char *sentence);

/*
 * From any thread of any rank: the pending and every later call on the group fails with ABORTED, on all ranks.
 * NULL is ignored.
 */
MMARN_API void mmarn_comm_abort(mmarn_comm *comm);

/*
 * Leaves the group; not collective. Peers that still need this rank get PEER. Its operators must be destroyed
 * first, and none of its calls may be running. NULL is ignored.
 */
MMARN_API void mmarn_comm_destroy(mmarn_comm *comm);

#ifdef __cplusplus
}
#endif
#endif
