/* SPDX-License-Identifier: MIT */
/*
 * host.c - rank 0's side of the rendezvous (rendezvous.h): wait for HELLO from every rank, introduce the ranks to each
 * other, send GO.
 *
 * Any process of the same user can connect. A guest that sends nothing keeps its place among the guests until the place
 * is needed. A guest that sends anything but a valid HELLO is dropped. When ranks disagree, ranks that come a little
 * later are told too.
 */
#include "coll/shm/rendezvous.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/descriptor.h"
#include "base/memory.h"

enum { GUESTS = 2 * MMARN_MAX_RANKS, GRACE_MS = 1000, UNKNOWN = -1 };

struct guest {
    int link;
    int rank; /* UNKNOWN until its HELLO has come */
    int descriptors[SHM_DESCRIPTORS];
    bool confirmed;
};

struct host {
    struct shm *shm;
    const struct shm_joining *joining;
    const struct coll_options *options;
    int listener;
    int count;
    struct guest guests[GUESTS]; /* in order of arrival */
    struct shm_entry entries[MMARN_MAX_RANKS];
    uint64_t joined;   /* ranks that have been accepted */
    uint64_t answered; /* ranks that have come, accepted or not */
    uint64_t cpus[SHM_CPU_WORDS];
    struct quota quotas[MMARN_MAX_RANKS];
    int bound; /* the number of ranks whose OpenMP variables ask for binding */
    int64_t threads;
    int max_threads;
    bool failed; /* the group cannot be formed: *error says why, as it is told to the guests */
    struct error *error;
    int64_t until;
};

static uint64_t rank_bit(int rank)
{
    return UINT64_C(1) << rank;
}

static uint64_t all_ranks(const struct host *host)
{
    return ~UINT64_C(0) >> (MMARN_MAX_RANKS - host->options->world_size);
}

static void drop(struct host *host, int at)
{
    shm_close(&host->guests[at].link);
    shm_close_all(host->guests[at].descriptors);
    host->count--;
    for (int i = at; i < host->count; i++)
        host->guests[i] = host->guests[i + 1];
}

/* Sends to every accepted rank. */
static void tell_all(struct host *host, const struct shm_message *message)
{
    for (int i = 0; i < host->count; i++)
        if (host->guests[i].rank != UNKNOWN)
            shm_send(host->guests[i].link, message, NULL);
}

/* The group cannot be formed, for the reason in *error. */
static void fail(struct host *host)
{
    const struct shm_message message = shm_message_failure(host->options, host->error);
    host->failed = true;
    int64_t grace = sync_deadline(GRACE_MS);
    host->until = grace < host->until ? grace : host->until;
    tell_all(host, &message);
}

static void enter(struct host *host, const struct shm_message *hello)
{
    const struct shm_entry *entry = &hello->entry;
    host->entries[entry->rank] = *entry;
    host->joined |= rank_bit(entry->rank);
    host->answered |= rank_bit(entry->rank);
    host->threads += entry->threads;
    if (entry->threads > host->max_threads)
        host->max_threads = entry->threads;
    for (int i = 0; i < SHM_CPU_WORDS; i++)
        host->cpus[i] |= hello->cpus[i];
    host->quotas[entry->rank] = hello->quota;
    host->bound += hello->bound != 0;
}

/* Does this rank's HELLO fit? */
static bool check(const struct host *host, const struct shm_message *hello, const struct guest *guest)
{
    struct error *error = host->error;
    struct shm_message ours = shm_message_make(SHM_MESSAGE_HELLO, host->options);
    int rank = hello->entry.rank;
    if (memcmp(hello->version, ours.version, sizeof ours.version))
        return error_fail(error, MMARN_ERR_MISMATCH, "the library's version is %s on rank 0 but %s on rank %d",
                          ours.version, hello->version, rank);
    if (hello->world_size != host->options->world_size)
        return error_fail(error, MMARN_ERR_MISMATCH, "world_size is %d on rank 0 but %d on rank %d",
                          host->options->world_size, hello->world_size, rank);
    if (rank >= 0 && rank < MMARN_MAX_RANKS && host->joined & rank_bit(rank))
        return error_fail(error, MMARN_ERR_MISMATCH, "rank %d joined twice", rank);
    if (rank < 0 || rank >= host->options->world_size || hello->entry.threads < 1 ||
        hello->entry.threads > MMARN_MAX_THREADS)
        return error_fail(error, MMARN_ERR_MISMATCH, "a peer joined as rank %d with %d threads", rank,
                          hello->entry.threads);
    if (guest->descriptors[0] < 0 || guest->descriptors[1] < 0)
        return error_fail(error, MMARN_ERR_SYSTEM, "rank 0 could not take rank %d's descriptors: too many are open",
                          rank);
    return true;
}

/* Takes a HELLO. False: drop the guest. */
static bool admit(struct host *host, struct guest *guest, const struct shm_message *hello)
{
    if (memcmp(hello->nonce, coll_id_nonce(host->options->id), COLL_NONCE_SIZE))
        return false;
    if (!host->failed && !check(host, hello, guest))
        fail(host);
    if (host->failed) {
        const struct shm_message message = shm_message_failure(host->options, host->error);
        if (hello->entry.rank >= 0 && hello->entry.rank < MMARN_MAX_RANKS)
            host->answered |= rank_bit(hello->entry.rank);
        shm_send(guest->link, &message, NULL);
        return false;
    }
    guest->rank = hello->entry.rank;
    enter(host, hello);
    struct shm_message coming = shm_message_make(SHM_MESSAGE_COMING, host->options);
    coming.joined = host->joined;
    tell_all(host, &coming);
    return true;
}

/* Reads a message from a guest while ranks are still coming. False: drop the guest. */
static bool hear(struct host *host, struct guest *guest)
{
    struct shm_message message;
    int descriptors[SHM_DESCRIPTORS];
    enum shm_receipt receipt = shm_receive(guest->link, &message, descriptors);
    if (receipt == SHM_NOTHING)
        return true;
    if (guest->rank != UNKNOWN) {
        /* A guest has no message to send at this point: it has hung up, or is treated as if it had. */
        shm_close_all(descriptors);
        if (!host->failed) {
            error_fail(host->error, MMARN_ERR_PEER, "rank %d left while the group was being formed", guest->rank);
            fail(host);
        }
        return false;
    }
    memcpy(guest->descriptors, descriptors, sizeof descriptors);
    return receipt == SHM_RECEIVED && message.kind == SHM_MESSAGE_HELLO && admit(host, guest, &message);
}

static void welcome(struct host *host)
{
    int link = descriptor_off_stdio(accept4(host->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (link < 0)
        return;
    if (!shm_socket_same_user(link)) {
        close(link);
        return;
    }
    /* No place is left, so the guest that has been silent longest goes. There are twice as many places as ranks, so
       some guests are not ranks. */
    for (int i = 0; host->count == GUESTS; i++)
        if (host->guests[i].rank == UNKNOWN)
            drop(host, i);
    host->guests[host->count++] = (struct guest){.link = link, .rank = UNKNOWN, .descriptors = {-1, -1}};
}

static int poll_guests(struct host *host, struct pollfd polls[GUESTS + 1])
{
    for (int i = 0; i < host->count; i++)
        polls[i] = (struct pollfd){.fd = host->guests[i].link, .events = POLLIN};
    polls[host->count] = (struct pollfd){.fd = host->listener, .events = POLLIN};
    return shm_poll(polls, host->count + 1, host->until, &host->options->interrupt);
}

static bool gather(struct host *host)
{
    struct pollfd polls[GUESTS + 1];
    uint64_t all = all_ranks(host);
    while (((host->failed ? host->answered : host->joined) & all) != all) {
        int known = host->count;
        int ready = poll_guests(host, polls);
        if (ready <= 0) {
            if (!host->failed) {
                if (ready)
                    shm_interrupted(host->options, host->error);
                else
                    shm_missing(host->options, host->joined, host->error);
                fail(host);
            }
            break;
        }
        for (int i = known - 1; i >= 0; i--)
            if (polls[i].revents && !hear(host, &host->guests[i]))
                drop(host, i);
        if (polls[known].revents)
            welcome(host);
    }
    return !host->failed;
}

/* Takes one guest's answer to an introduction. */
static bool confirm(struct guest *guest, struct error *error)
{
    struct shm_message message;
    int descriptors[SHM_DESCRIPTORS];
    enum shm_receipt receipt = shm_receive(guest->link, &message, descriptors);
    shm_close_all(descriptors);
    if (receipt == SHM_NOTHING)
        return true;
    if (receipt == SHM_RECEIVED && message.kind == SHM_MESSAGE_FAILURE)
        return error_fail(error, MMARN_ERR_PEER, "rank %d could not join: %.300s", guest->rank,
                          message.failure.sentence);
    guest->confirmed = receipt == SHM_RECEIVED && message.kind == SHM_MESSAGE_CONFIRMED;
    return guest->confirmed ||
           error_fail(error, MMARN_ERR_PEER, "rank %d left while the group was being formed", guest->rank);
}

/* Waits until every guest has confirmed the last introduction. */
static bool await_confirmations(struct host *host)
{
    struct error *error = host->error;
    for (int at = 0; at < host->count; at++) {
        struct guest *guest = &host->guests[at];
        while (!guest->confirmed) {
            struct pollfd link = {.fd = guest->link, .events = POLLIN};
            int ready = shm_poll(&link, 1, host->until, &host->options->interrupt);
            if (ready < 0)
                return shm_interrupted(host->options, error);
            if (!ready)
                return error_fail(error, MMARN_ERR_TIMEOUT, "rank %d came but did not answer within %d ms", guest->rank,
                                  host->options->timeout_ms);
            if (!confirm(guest, error))
                return false;
        }
        guest->confirmed = false;
    }
    return true;
}

static int *descriptors_of(struct host *host, int rank)
{
    for (int i = 0; i < host->count; i++)
        if (host->guests[i].rank == rank)
            return host->guests[i].descriptors;
    return NULL;
}

/* Introduces one rank at a time, so that few descriptors are in flight: the kernel limits them per user. */
static bool introduce(struct host *host, int rank)
{
    struct shm_message message = shm_message_make(SHM_MESSAGE_ENTRY, host->options);
    message.entry = host->entries[rank];
    int own[SHM_DESCRIPTORS] = {host->joining->descriptors[0], host->joining->descriptors[1]};
    int *theirs = rank ? descriptors_of(host, rank) : own;
    for (int i = 0; i < host->count; i++)
        if (!shm_send(host->guests[i].link, &message, theirs))
            return error_fail_errno(host->error, "rank 0 could not introduce rank %d to rank %d", rank,
                                    host->guests[i].rank);
    /* The rank's own segment and lifeline stay with the rank that made them. */
    int none[SHM_DESCRIPTORS] = {-1, -1};
    return shm_adopt(host->shm, host->options, &message.entry, rank ? theirs : none, host->error) &&
           await_confirmations(host);
}

static void drop_strangers(struct host *host)
{
    for (int i = host->count - 1; i >= 0; i--)
        if (host->guests[i].rank == UNKNOWN)
            drop(host, i);
}

/* The processors that control groups leave to all ranks together; infinite when a rank has no quota. */
static double quota_of_all(const struct host *host)
{
    double sum = 0;
    for (int rank = 0; rank < host->options->world_size; rank++) {
        const struct quota *quota = &host->quotas[rank];
        bool counted = false;
        if (quota->processors <= 0)
            return HUGE_VAL;
        for (int before = 0; before < rank; before++)
            counted = counted || host->quotas[before].place == quota->place;
        sum += counted ? 0 : quota->processors;
    }
    return ceil(sum);
}

static bool oversubscribed(const struct host *host)
{
    int64_t processors = 0;
    for (int i = 0; i < SHM_CPU_WORDS; i++)
        processors += __builtin_popcountll(host->cpus[i]);
    return (processors && host->threads > processors) || (double)host->threads > quota_of_all(host);
}

/* Notes ranks that share processors by accident. */
static void note_crowding(const struct host *host)
{
    const int ranks = host->options->world_size;
    char sentence[ERROR_SENTENCE_SIZE];
    if (cpu_crowded(ranks, host->cpus, SHM_CPU_WORDS, host->bound == ranks, sentence, sizeof sentence))
        error_note("%s", sentence);
}

static bool form(struct host *host)
{
    if (!gather(host))
        return false;
    drop_strangers(host);
    for (int rank = 0; rank < host->options->world_size; rank++) {
        if (!introduce(host, rank)) {
            fail(host);
            return false;
        }
    }
    struct shm_message message = shm_message_make(SHM_MESSAGE_GO, host->options);
    message.go.max_threads = host->max_threads;
    message.go.oversubscribed = oversubscribed(host);
    host->shm->coll.max_threads = host->max_threads;
    host->shm->coll.oversubscribed = message.go.oversubscribed;
    /* Every rank has mapped everything. The lifeline will show if a guest is gone by now. */
    tell_all(host, &message);
    note_crowding(host);
    return true;
}

bool shm_host(struct shm *shm, const struct shm_joining *joining, int listener, struct error *error)
{
    assert(joining->options->rank == 0);
    struct host *host = memory_alloc(1, sizeof *host);
    if (!host)
        return error_fail(error, MMARN_ERR_MEMORY, "no memory for the guests of rank 0");
    host->shm = shm;
    host->joining = joining;
    host->options = joining->options;
    host->listener = listener;
    host->error = error;
    host->until = joining->deadline;
    struct shm_message hello = shm_message_hello(host->options);
    enter(host, &hello);
    const bool formed = form(host);
    while (host->count)
        drop(host, host->count - 1);
    memory_free(host);
    return formed;
}
