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

static mmarn_status take_go(struct guest *guest, const struct shm_message *message)
{
    if (guest->next < guest->options->world_size || message->go.max_threads < 1 ||
        message->go.max_threads > MMARN_MAX_THREADS)
        return error_set(MMARN_ERR_PEER, "rank 0 said go out of turn");
    guest->shm->coll.max_threads = message->go.max_threads;
    guest->shm->coll.oversubscribed = message->go.oversubscribed != 0;
    guest->go = true;
    return MMARN_OK;
}

static mmarn_status take_entry(struct guest *guest, const struct shm_message *message, int descriptors[SHM_DESCRIPTORS])
{
    if (message->entry.rank != guest->next || guest->next >= guest->options->world_size) {
        shm_close_all(descriptors);
        return error_set(MMARN_ERR_PEER, "rank 0 introduced rank %d instead of rank %d", message->entry.rank,
                         guest->next);
    }
    guest->next++;
    mmarn_status status = shm_adopt(guest->shm, guest->options, &message->entry, descriptors);
    struct shm_message answer =
        status ? shm_message_failure(guest->options, status) : shm_message_make(SHM_MESSAGE_CONFIRMED, guest->options);
    shm_send(guest->link, &answer, NULL);
    return status;
}

static mmarn_status take(struct guest *guest, const struct shm_message *message, int descriptors[SHM_DESCRIPTORS])
{
    if (message->kind == SHM_MESSAGE_ENTRY)
        return take_entry(guest, message, descriptors);
    shm_close_all(descriptors);
    switch (message->kind) {
    case SHM_MESSAGE_COMING:
        guest->joined = message->joined;
        return MMARN_OK;
    case SHM_MESSAGE_GO:
        return take_go(guest, message);
    case SHM_MESSAGE_FAILURE:
        return shm_message_failed(message);
    default:
        return error_set(MMARN_ERR_PEER, "rank 0 sent a message of unknown kind %d", message->kind);
    }
}

static mmarn_status attend(struct guest *guest)
{
    while (!guest->go) {
        struct pollfd link = {.fd = guest->link, .events = POLLIN};
        int ready = shm_poll(&link, 1, guest->joining->deadline, &guest->options->interrupt);
        if (ready <= 0)
            return ready ? shm_interrupted(guest->options) : shm_missing(guest->options, guest->joined);
        struct shm_message message;
        int descriptors[SHM_DESCRIPTORS];
        enum shm_receipt receipt = shm_receive(guest->link, &message, descriptors);
        if (receipt == SHM_NOTHING)
            continue;
        if (receipt != SHM_RECEIVED) {
            shm_close_all(descriptors);
            return error_set(MMARN_ERR_PEER, "rank 0 left while the group was being formed");
        }
        mmarn_status status = take(guest, &message, descriptors);
        if (status)
            return status;
    }
    return MMARN_OK;
}

mmarn_status shm_guest(struct shm *shm, const struct shm_joining *joining, int link)
{
    struct guest guest = {.shm = shm, .joining = joining, .options = joining->options, .link = link, .joined = 1};
    struct shm_message hello = shm_message_hello(joining->options);
    /* If this fails, rank 0 has hung up; it may have sent the reason. */
    shm_send(link, &hello, joining->descriptors);
    return attend(&guest);
}
