/* SPDX-License-Identifier: MIT */
/*
 * rendezvous.h - how the ranks of a group find each other. Rank 0, the host, listens at an address made from the id's
 * nonce. The other ranks, its guests, connect and send HELLO. When all have come, the host introduces every rank to all
 * others, one by one, and each guest confirms. So no rank is in the group until every rank has mapped everything.
 *
 *   guest -> host   HELLO + two descriptors                        host -> guest   COMING, FAILURE
 *   host -> guest   ENTRY + two descriptors, for every rank        guest -> host   CONFIRMED, FAILURE
 *   host -> guest   GO
 * The two descriptors are the rank's segment and the far end of its lifeline.
 */
#ifndef MMARN_COLL_SHM_RENDEZVOUS_H
#define MMARN_COLL_SHM_RENDEZVOUS_H

#include <poll.h>

#include "base/error.h"
#include "base/quota.h"
#include "coll/shm/shm.h"

enum { SHM_CPU_WORDS = 128, SHM_DESCRIPTORS = 2, SHM_VERSION_TEXT = 16 };

enum shm_message_kind {
    SHM_MESSAGE_HELLO = 1,
    SHM_MESSAGE_COMING,
    SHM_MESSAGE_ENTRY,
    SHM_MESSAGE_CONFIRMED,
    SHM_MESSAGE_GO,
    SHM_MESSAGE_FAILURE
};

/* What all ranks are told about each rank. */
struct shm_entry {
    int32_t rank, threads, timeout_ms, pid;
};

/*
 * All fields up to and including `nonce`, and `go`, keep their offsets in all versions of the library, so that
 * different versions can report each other.
 */
struct shm_message {
    uint64_t magic;
    char version[SHM_VERSION_TEXT];
    int32_t kind;
    int32_t world_size;
    union {
        struct {
            struct shm_entry entry; /* HELLO and ENTRY */
            uint8_t nonce[COLL_NONCE_SIZE];
            uint64_t cpus[SHM_CPU_WORDS]; /* HELLO: the affinity mask */
            struct quota quota;           /* HELLO */
            int32_t bound;                /* HELLO: the OpenMP variables ask for binding */
        };
        uint64_t joined; /* COMING: a bit for every rank that has come */
        struct {
            int32_t max_threads, oversubscribed;
        } go;
        struct {
            int32_t status;
            char sentence[ERROR_SENTENCE_SIZE];
        } failure;
    };
};

struct shm_joining {
    const struct coll_options *options;
    int64_t deadline;
    int descriptors[SHM_DESCRIPTORS]; /* of this rank */
};

/*
 * host.c and guest.c: the two sides. On success they have set segments, peers, and everything that depends on all
 * ranks.
 */
bool shm_host(struct shm *shm, const struct shm_joining *joining, int listener, struct error *error);
bool shm_guest(struct shm *shm, const struct shm_joining *joining, int link, struct error *error);

/* socket.c */
struct shm_message shm_message_make(enum shm_message_kind kind, const struct coll_options *options);
struct shm_message shm_message_hello(const struct coll_options *options);
struct shm_message shm_message_failure(const struct coll_options *options, const struct error *error);
/* The failure that a peer reports, as an error. Its text is not trusted. Always false. */
bool shm_message_failed(const struct shm_message *message, struct error *error);

/* Non-blocking sockets; -1 with errno. */
int shm_socket_listen(const uint8_t *nonce);
int shm_socket_connect(const uint8_t *nonce);
bool shm_socket_same_user(int link);
bool shm_send(int link, const struct shm_message *message, const int *descriptors);

enum shm_receipt { SHM_NOTHING, SHM_RECEIVED, SHM_GARBAGE, SHM_CLOSED };
/* A descriptor that did not come is -1; the caller closes the others. */
enum shm_receipt shm_receive(int link, struct shm_message *message, int descriptors[SHM_DESCRIPTORS]);

/* poll() until the deadline. 0: the deadline has passed. Negative: the interrupt has ended the wait. */
int shm_poll(struct pollfd *polls, int count, int64_t deadline, const struct coll_interrupt *interrupt);
void shm_close(int *descriptor);
void shm_close_all(int descriptors[SHM_DESCRIPTORS]);

/* peers.c: adds a rank's segment and lifeline to the group. Takes the descriptors even if it fails. */
bool shm_adopt(struct shm *shm, const struct coll_options *options, const struct shm_entry *entry,
               int descriptors[SHM_DESCRIPTORS], struct error *error);
/* The error that the ranks not in `joined` did not come in time. Always false. */
bool shm_missing(const struct coll_options *options, uint64_t joined, struct error *error);
/* The error that this rank was interrupted. Always false. */
bool shm_interrupted(const struct coll_options *options, struct error *error);

#endif
