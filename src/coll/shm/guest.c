/* SPDX-License-Identifier: MIT */
/*
 * guest.c - the side of ranks 1 and up in the rendezvous (rendezvous.h): find rank 0, send HELLO, add every rank that
 * rank 0 introduces, wait for GO.
 */
#include "coll/shm/rendezvous.h"

struct guest {
    struct shm *shm;
    const struct shm_joining *joining;
    const struct coll_options *options;
    int link;
    int next;        /* the next rank to be introduced */
    uint64_t joined; /* the ranks that have come, as last told by rank 0 */
    bool go;
};

static bool take_go(struct guest *guest, const struct shm_message *message, struct error *error)
{
    if (guest->next < guest->options->world_size || message->go.max_threads < 1 ||
        message->go.max_threads > MMARN_MAX_THREADS)
        return error_fail(error, MMARN_ERR_PEER, "rank 0 said go out of turn");
    guest->shm->coll.max_threads = message->go.max_threads;
    guest->shm->coll.oversubscribed = message->go.oversubscribed != 0;
    guest->go = true;
    return true;
}

static bool take_entry(struct guest *guest, const struct shm_message *message, int descriptors[SHM_DESCRIPTORS],
                       struct error *error)
{
    if (message->entry.rank != guest->next || guest->next >= guest->options->world_size) {
        shm_close_all(descriptors);
        return error_fail(error, MMARN_ERR_PEER, "rank 0 introduced rank %d instead of rank %d", message->entry.rank,
                          guest->next);
    }
    guest->next++;
    const bool adopted = shm_adopt(guest->shm, guest->options, &message->entry, descriptors, error);
    struct shm_message answer =
        adopted ? shm_message_make(SHM_MESSAGE_CONFIRMED, guest->options) : shm_message_failure(guest->options, error);
    shm_send(guest->link, &answer, NULL);
    return adopted;
}

static bool take(struct guest *guest, const struct shm_message *message, int descriptors[SHM_DESCRIPTORS],
                 struct error *error)
{
    if (message->kind == SHM_MESSAGE_ENTRY)
        return take_entry(guest, message, descriptors, error);
    shm_close_all(descriptors);
    switch (message->kind) {
    case SHM_MESSAGE_COMING:
        guest->joined = message->joined;
        return true;
    case SHM_MESSAGE_GO:
        return take_go(guest, message, error);
    case SHM_MESSAGE_FAILURE:
        return shm_message_failed(message, error);
    default:
        return error_fail(error, MMARN_ERR_PEER, "rank 0 sent a message of unknown kind %d", message->kind);
    }
}

static bool attend(struct guest *guest, struct error *error)
{
    while (!guest->go) {
        struct pollfd link = {.fd = guest->link, .events = POLLIN};
        int ready = shm_poll(&link, 1, guest->joining->deadline, &guest->options->interrupt);
        if (ready <= 0)
            return ready ? shm_interrupted(guest->options, error) : shm_missing(guest->options, guest->joined, error);
        struct shm_message message;
        int descriptors[SHM_DESCRIPTORS];
        enum shm_receipt receipt = shm_receive(guest->link, &message, descriptors);
        if (receipt == SHM_NOTHING)
            continue;
        if (receipt != SHM_RECEIVED) {
            shm_close_all(descriptors);
            return error_fail(error, MMARN_ERR_PEER, "rank 0 left while the group was being formed");
        }
        if (!take(guest, &message, descriptors, error))
            return false;
    }
    return true;
}

bool shm_guest(struct shm *shm, const struct shm_joining *joining, int link, struct error *error)
{
    struct guest guest = {.shm = shm, .joining = joining, .options = joining->options, .link = link, .joined = 1};
    struct shm_message hello = shm_message_hello(joining->options);
    /* If this fails, rank 0 has hung up; it may have sent the reason. */
    shm_send(link, &hello, joining->descriptors);
    return attend(&guest, error);
}
