/* SPDX-License-Identifier: MIT */
/*
 * shm.c - the shared-memory transport: joining, leaving, and its table of functions. shm.h lists what each file does.
 */
#include "coll/shm/shm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/error.h"
#include "base/memory.h"
#include "coll/shm/rendezvous.h"

enum { RETRY_NS_FIRST = 200000, RETRY_NS_MOST = 20000000 };

static bool supports(const struct coll_options *options, const char **why)
{
    *why = "\"shm\" needs an id";
    if (!options->id)
        return false;
    *why = "\"shm\" serves up to 64 ranks";
    return options->world_size <= MMARN_MAX_RANKS;
}

/* Connects to rank 0, which may not have come yet. -1: see *error. */
static int find_host(const struct coll_options *options, int64_t deadline, struct error *error)
{
    struct timespec pause = {0, RETRY_NS_FIRST};
    for (;;) {
        int link = shm_socket_connect(coll_id_nonce(options->id));
        if (link >= 0 && shm_socket_same_user(link))
            return link;
        if (link >= 0) {
            close(link);
            error_fail(error, MMARN_ERR_MISMATCH, "rank 0 of this id belongs to another user");
            return -1;
        }
        if (errno != ECONNREFUSED && errno != EAGAIN && errno != EINTR) {
            error_fail_errno(error, "rank %d could not connect to rank 0", options->rank);
            return -1;
        }
        if (coll_interrupted(&options->interrupt)) {
            shm_interrupted(options, error);
            return -1;
        }
        if (sync_now() >= deadline) {
            error_fail(error, MMARN_ERR_TIMEOUT, "rank 0 did not come within %d ms", options->timeout_ms);
            return -1;
        }
        nanosleep(&pause, NULL);
        pause.tv_nsec = 2 * pause.tv_nsec < RETRY_NS_MOST ? 2 * pause.tv_nsec : RETRY_NS_MOST;
    }
}

static bool meet(struct shm *shm, const struct shm_joining *joining, struct error *error)
{
    int link;
    bool met = false;
    if (!joining->options->rank) {
        link = shm_socket_listen(coll_id_nonce(joining->options->id));
        if (link >= 0) {
            met = shm_host(shm, joining, link, error);
            close(link);
            return met;
        }
        if (errno != EADDRINUSE)
            return error_fail_errno(error, "rank 0 could not listen for its peers");
        /* There is a rank 0 already. It takes this one for a guest, and so tells every rank. */
    }
    link = find_host(joining->options, joining->deadline, error);
    if (link >= 0) {
        met = shm_guest(shm, joining, link, error);
        close(link);
    }
    return met;
}

static void destroy(struct shm *shm)
{
    for (int rank = 0; rank < shm->coll.world_size; rank++) {
        shm_close(&shm->peers[rank].lifeline);
        /* A child may find the list of mappings locked for ever, so what it has inherited stays mapped. */
        if (!shm->forked)
            shm_segment_close(&shm->segments[rank]);
    }
    shm_close(&shm->kept);
    shm_rings_destroy(shm);
    memory_free(shm);
}

static bool make_lifeline(const struct coll_options *options, int *kept, int *given, struct error *error)
{
    int ends[2] = {-1, -1};
    const bool made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0;
    *kept = descriptor_off_stdio(ends[0]);
    *given = descriptor_off_stdio(ends[1]);
    return (made && *kept >= 0 && *given >= 0) ||
           error_fail_errno(error, "rank %d could not make its lifeline", options->rank);
}

static bool join(const struct coll_options *options, struct coll **coll, struct error *error)
{
    struct shm_joining joining = {options, sync_deadline(options->timeout_ms), {-1, -1}};
    if (!coll_id_valid(options->id))
        return error_fail(error, MMARN_ERR_ARGUMENT, "id was not made by mmarn_id_create of this version");
    struct shm *shm = memory_alloc(1, sizeof *shm);
    if (!shm)
        return error_fail(error, MMARN_ERR_MEMORY, "no memory for a group of %d ranks", options->world_size);
    shm->coll = (struct coll){.transport = &coll_transport_shm,
                              .rank = options->rank,
                              .world_size = options->world_size,
                              .timeout_ms = options->timeout_ms,
                              .interrupt = options->interrupt};
    for (int rank = 0; rank < MMARN_MAX_RANKS; rank++)
        shm->peers[rank].lifeline = -1;
    const bool joined =
        make_lifeline(options, &shm->kept, &joining.descriptors[1], error) &&
        shm_segment_create(options, &joining.descriptors[0], &shm->segments[options->rank], error) &&
        (shm_rings_create(shm) ||
         error_fail(error, MMARN_ERR_MEMORY, "no memory for the rings of %d threads", options->threads)) &&
        meet(shm, &joining, error);
    shm_close_all(joining.descriptors);
    if (!joined) {
        destroy(shm);
        return false;
    }
    shm->coll.event = &shm_own(shm)->event;
    *coll = &shm->coll;
    return true;
}

static void leave(struct coll *coll)
{
    struct shm *shm = shm_of(coll);
    if (!shm->forked) {
        /* Pairs with the load in wait.c. It comes before the hang-up, so that peers can tell leaving from dying. */
        atomic_store(&shm_own(shm)->left, 1);
        shm_wake_all(shm);
    }
    destroy(shm);
}

static void fail(struct coll *coll, enum coll_failure failure)
{
    struct shm *shm = shm_of(coll);
    if (failure == COLL_ABORTED)
        shm_failure_set(shm, SHM_FAILURE_ABORT, -1, 0);
    else
        shm_failure_set(shm, SHM_FAILURE_BROKEN, -1, coll->call);
}

static void forked(struct coll *coll)
{
    /* A child's copy of our end would hide our own death. */
    shm_of(coll)->forked = true;
    shm_close(&shm_of(coll)->kept);
}

const struct coll_transport coll_transport_shm = {
    .name = "shm",
    .supports = supports,
    .join = join,
    .leave = leave,
    .forked = forked,
    .fail = fail,
    .post = shm_post,
    .peek = shm_peek,
    .finish = shm_finish,
    .begin = shm_ring_begin,
    .publish = shm_ring_publish,
    .read = shm_ring_read,
    .release = shm_ring_release,
    .flush = shm_ring_flush,
    .wait_begin = shm_wait_begin,
    .wait = shm_wait,
};
