/* SPDX-License-Identifier: MIT */
/*
 * socket.c - messages with descriptors over an abstract Unix socket of type SEQPACKET, which keeps messages whole. The
 * address vanishes with its holder. Only shm_poll blocks, and nothing raises SIGPIPE.
 */
#include "coll/shm/rendezvous.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/descriptor.h"
#include "base/threads.h"

#define MESSAGE_MAGIC                      UINT64_C(0x6f6c6c65686d6d4d)
#define VERSION_TEXT2(major, minor, patch) #major "." #minor "." #patch
#define VERSION_TEXT(major, minor, patch)  VERSION_TEXT2(major, minor, patch)

enum { BACKLOG = 256, NANOSECONDS_PER_MS = 1000000, POLL_MS_MOST = 20 };

struct shm_message shm_message_make(enum shm_message_kind kind, const struct coll_options *options)
{
    return (struct shm_message){
        .magic = MESSAGE_MAGIC,
        .version = VERSION_TEXT(MMARN_VERSION_MAJOR, MMARN_VERSION_MINOR, MMARN_VERSION_PATCH),
        .kind = (int32_t)kind,
        .world_size = options->world_size,
    };
}

struct shm_message shm_message_hello(const struct coll_options *options)
{
    struct shm_message message = shm_message_make(SHM_MESSAGE_HELLO, options);
    message.entry = (struct shm_entry){options->rank, options->threads, options->timeout_ms, getpid()};
    memcpy(message.nonce, coll_id_nonce(options->id), COLL_NONCE_SIZE);
    message.quota = quota_read("");
    message.bound = threads_bound();
    /* Without a mask this rank adds no processors of its own to those of the group. */
    cpu_mask(options->threads, message.cpus, SHM_CPU_WORDS);
    return message;
}

struct shm_message shm_message_failure(const struct coll_options *options, const struct error *error)
{
    struct shm_message message = shm_message_make(SHM_MESSAGE_FAILURE, options);
    message.failure.status = error->status;
    snprintf(message.failure.sentence, sizeof message.failure.sentence, "%s", error->sentence);
    return message;
}

bool shm_message_failed(const struct shm_message *message, struct error *error)
{
    int32_t status = message->failure.status;
    if (status >= MMARN_OK || status < MMARN_ERR_BUSY)
        status = MMARN_ERR_PEER;
    return error_fail(error, (mmarn_status)status, "%.*s", (int)sizeof message->failure.sentence - 1,
                      message->failure.sentence);
}

/* "\0mmarn-" and the nonce in hexadecimal; returns the address's length. */
static socklen_t address_of(const uint8_t *nonce, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    char *text = address->sun_path + 1;
    int used = snprintf(text, sizeof address->sun_path - 1, "mmarn-");
    for (int i = 0; i < COLL_NONCE_SIZE; i++)
        used += snprintf(text + used, sizeof address->sun_path - 1 - (size_t)used, "%02x", nonce[i]);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)used);
}

/* Closes, and keeps the errno that says why. */
static int give_up(int link)
{
    int code = errno;
    close(link);
    errno = code;
    return -1;
}

int shm_socket_listen(const uint8_t *nonce)
{
    struct sockaddr_un address;
    socklen_t length = address_of(nonce, &address);
    int link = descriptor_off_stdio(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (link < 0)
        return -1;
    if (bind(link, (struct sockaddr *)&address, length) < 0 || listen(link, BACKLOG) < 0)
        return give_up(link);
    return link;
}

int shm_socket_connect(const uint8_t *nonce)
{
    struct sockaddr_un address;
    socklen_t length = address_of(nonce, &address);
    int link = descriptor_off_stdio(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (link < 0)
        return -1;
    if (connect(link, (struct sockaddr *)&address, length) < 0)
        return give_up(link);
    return link;
}

bool shm_socket_same_user(int link)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    return !getsockopt(link, SOL_SOCKET, SO_PEERCRED, &peer, &length) && peer.uid == geteuid();
}

/* Space for the descriptors, aligned as the kernel requires. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(SHM_DESCRIPTORS * sizeof(int))];
};

bool shm_send(int link, const struct shm_message *message, const int *descriptors)
{
    union control control = {0};
    struct iovec data = {(void *)(uintptr_t)message, sizeof *message};
    struct msghdr packet = {.msg_iov = &data, .msg_iovlen = 1};
    if (descriptors) {
        packet.msg_control = control.bytes;
        packet.msg_controllen = sizeof control.bytes;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&packet);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(SHM_DESCRIPTORS * sizeof(int));
        memcpy(CMSG_DATA(rights), descriptors, SHM_DESCRIPTORS * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(link, &packet, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof *message;
}

static void take_descriptors(struct msghdr *packet, int descriptors[SHM_DESCRIPTORS])
{
    int taken = 0;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(packet); part; part = CMSG_NXTHDR(packet, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof descriptor);
            descriptor = descriptor_off_stdio(descriptor);
            if (taken < SHM_DESCRIPTORS)
                descriptors[taken++] = descriptor;
            else if (descriptor >= 0)
                close(descriptor);
        }
    }
}

enum shm_receipt shm_receive(int link, struct shm_message *message, int descriptors[SHM_DESCRIPTORS])
{
    union control control = {0};
    struct iovec data = {message, sizeof *message};
    struct msghdr packet = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    /* A shorter message from another version then ends in zeros. */
    memset(message, 0, sizeof *message);
    descriptors[0] = descriptors[1] = -1;
    ssize_t got;
    /* When a peer hangs up with unread messages, ECONNRESET comes once, ahead of what the peer has sent before. */
    do
        got = recvmsg(link, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (got < 0 && (errno == EINTR || errno == ECONNRESET));
    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? SHM_NOTHING : SHM_CLOSED;
    take_descriptors(&packet, descriptors);
    struct shm_message ours = {.version = VERSION_TEXT(MMARN_VERSION_MAJOR, MMARN_VERSION_MINOR, MMARN_VERSION_PATCH)};
    bool same_version = !memcmp(message->version, ours.version, sizeof ours.version);
    message->version[SHM_VERSION_TEXT - 1] = 0;
    if (message->magic == MESSAGE_MAGIC && (!same_version || got == (ssize_t)sizeof *message))
        return SHM_RECEIVED;
    shm_close_all(descriptors);
    return got ? SHM_GARBAGE : SHM_CLOSED;
}

int shm_poll(struct pollfd *polls, int count, int64_t deadline, const struct coll_interrupt *interrupt)
{
    for (;;) {
        int64_t rest = deadline - sync_now();
        int64_t ms = rest <= 0 ? 0 : rest / NANOSECONDS_PER_MS + 1;
        int ready = poll(polls, (nfds_t)count, ms < POLL_MS_MOST ? (int)ms : POLL_MS_MOST);
        if (ready > 0 || (rest <= 0 && ready == 0))
            return ready;
        if (ready < 0 && errno != EINTR)
            return 0;
        if (coll_interrupted(interrupt))
            return -1;
    }
}

void shm_close(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

void shm_close_all(int descriptors[SHM_DESCRIPTORS])
{
    for (int i = 0; i < SHM_DESCRIPTORS; i++)
        shm_close(&descriptors[i]);
}
