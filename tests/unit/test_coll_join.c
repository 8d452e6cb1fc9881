/* SPDX-License-Identifier: MIT */
/*
 * test_coll_join.c - the rendezvous of ranks when something is wrong: absent, late, double or differing ranks,
 * strangers, a death in the middle, too few descriptors. In every case no descriptor and no mapping is left.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "coll/shm/rendezvous.h"
#include "coll_helper.h"

/* One rank that tries to join after a while, and leaves again. */
struct joiner {
    struct helper_group group;
    int rank, after_ms;
    pthread_t thread;
    mmarn_status status;
    char sentence[ERROR_SENTENCE_SIZE];
};

static struct joiner make_joiner(mmarn_id id, int rank, int world_size, int timeout_ms)
{
    return (struct joiner){.group = {.id = id, .world_size = world_size, .threads = 1, .timeout_ms = timeout_ms},
                           .rank = rank};
}

static void *try_to_join(void *arg)
{
    struct joiner *joiner = arg;
    struct coll *coll = NULL;
    ranks_sleep(joiner->after_ms);
    joiner->status = helper_join(&joiner->group, joiner->rank, &coll);
    if (joiner->status)
        snprintf(joiner->sentence, sizeof joiner->sentence, "%s", helper_sentence());
    else {
        struct helper_job job = {.tiles = 3, .count = 20, .dtype = MMARN_F32, .threads = 1, .seed = 5};
        helper_good_call(coll, &job);
        coll->transport->leave(coll);
    }
    return NULL;
}

static void start(struct joiner *joiner)
{
    pthread_create(&joiner->thread, NULL, try_to_join, joiner);
}

static void finish(struct joiner *joiner, mmarn_status status, const char *sentence)
{
    pthread_join(joiner->thread, NULL);
    if (joiner->status != status || strcmp(joiner->sentence, sentence))
        fail_msg("rank %d got %d \"%s\" instead of %d \"%s\"", joiner->rank, joiner->status, joiner->sentence, status,
                 sentence);
}

static int descriptors_before;

static int count_before(void **state)
{
    (void)state;
    descriptors_before = helper_descriptors();
    return 0;
}

static int nothing_left(void **state)
{
    (void)state;
    return expect_failures() || helper_descriptors() != descriptors_before || helper_mappings();
}

static void missing_ranks_are_named(void **state)
{
    (void)state;
    mmarn_id id = helper_id();
    struct joiner ranks[] = {make_joiner(id, 0, 5, 1000), make_joiner(id, 2, 5, 60000), make_joiner(id, 3, 5, 60000)};
    for (int i = 0; i < 3; i++)
        start(&ranks[i]);
    for (int i = 0; i < 3; i++)
        finish(&ranks[i], MMARN_ERR_TIMEOUT, "ranks 1, 4 did not join within 1000 ms");
}

static void a_guest_knows_who_is_missing(void **state)
{
    (void)state;
    mmarn_id id = helper_id();
    struct joiner ranks[] = {make_joiner(id, 0, 4, 60000), make_joiner(id, 1, 4, 1000), make_joiner(id, 3, 4, 60000)};
    for (int i = 0; i < 3; i++)
        start(&ranks[i]);
    finish(&ranks[1], MMARN_ERR_TIMEOUT, "rank 2 did not join within 1000 ms");
    finish(&ranks[0], MMARN_ERR_PEER, "rank 1 left while the group was being formed");
    finish(&ranks[2], MMARN_ERR_PEER, "rank 1 left while the group was being formed");
}

static void an_absent_host_is_named(void **state)
{
    (void)state;
    struct joiner rank = make_joiner(helper_id(), 1, 2, 60);
    start(&rank);
    finish(&rank, MMARN_ERR_TIMEOUT, "rank 0 did not come within 60 ms");
}

static void late_ranks_are_waited_for(void **state)
{
    (void)state;
    for (int late = 0; late < 3; late++) {
        mmarn_id id = helper_id();
        struct joiner ranks[3];
        for (int i = 0; i < 3; i++) {
            ranks[i] = make_joiner(id, i, 3, -1);
            ranks[i].after_ms = i == late ? 60 : 0;
            start(&ranks[i]);
        }
        for (int i = 0; i < 3; i++)
            finish(&ranks[i], MMARN_OK, "");
    }
}

static void another_world_size_is_told(void **state)
{
    (void)state;
    mmarn_id id = helper_id();
    struct joiner ranks[] = {make_joiner(id, 0, 3, 60000), make_joiner(id, 1, 3, 60000), make_joiner(id, 2, 4, 60000)};
    /* A rank that comes after the discovery gets the error too. */
    ranks[1].after_ms = 60;
    for (int i = 0; i < 3; i++)
        start(&ranks[i]);
    for (int i = 0; i < 3; i++)
        finish(&ranks[i], MMARN_ERR_MISMATCH, "world_size is 3 on rank 0 but 4 on rank 2");
}

static void a_double_rank_is_told(void **state)
{
    (void)state;
    for (int rank = 0; rank < 2; rank++) {
        char sentence[64];
        mmarn_id id = helper_id();
        struct joiner ranks[] = {make_joiner(id, rank, 3, 60000), make_joiner(id, rank, 3, 60000),
                                 make_joiner(id, !rank, 3, 60000)};
        snprintf(sentence, sizeof sentence, "rank %d joined twice", rank);
        for (int i = 0; i < 3; i++)
            start(&ranks[i]);
        for (int i = 0; i < 3; i++)
            finish(&ranks[i], MMARN_ERR_MISMATCH, sentence);
    }
}

static void a_foreign_id_is_refused(void **state)
{
    (void)state;
    struct coll *coll = NULL;
    struct helper_group group = {.world_size = 1, .threads = 1, .timeout_ms = 100};
    assert_int_equal(helper_join(&group, 0, &coll), MMARN_ERR_ARGUMENT);
    group.id = helper_id();
    assert_int_equal(helper_join(&group, 0, &coll), MMARN_OK);
    coll->transport->leave(coll);
}

/* Connects to a group's address as soon as there is a listener. */
static int stranger(const mmarn_id *id)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char text[64] = "mmarn-";
    for (int i = 0; i < COLL_NONCE_SIZE; i++)
        sprintf(text + 6 + 2 * i, "%02x", coll_id_nonce(id)[i]);
    memcpy(address.sun_path + 1, text, strlen(text));
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(text));
    int link = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    while (connect(link, (struct sockaddr *)&address, length) < 0)
        ranks_sleep(1);
    return link;
}

static void send_descriptors(int link, const void *bytes, size_t size, int count)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(8 * sizeof(int))];
    } control = {0};
    struct iovec data = {(void *)(uintptr_t)bytes, size};
    struct msghdr packet = {.msg_iov = &data,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&packet);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    for (int i = 0; i < count; i++)
        memcpy(CMSG_DATA(rights) + (size_t)i * sizeof(int), &link, sizeof link);
    sendmsg(link, &packet, MSG_NOSIGNAL);
}

static void strangers_do_not_stop_the_group(void **state)
{
    (void)state;
    enum { SILENT = 200 };
    uint64_t random = test_seed();
    mmarn_id id = helper_id();
    struct joiner ranks[] = {make_joiner(id, 0, 3, 60000), make_joiner(id, 1, 3, 60000), make_joiner(id, 2, 3, 60000)};
    int silent[SILENT];
    start(&ranks[0]);
    start(&ranks[1]);
    for (int i = 0; i < SILENT; i++)
        silent[i] = stranger(&id);
    for (int i = 0; i < 60; i++) {
        uint64_t noise[400];
        for (size_t word = 0; word < 400; word++)
            noise[word] = test_random(&random);
        int link = stranger(&id);
        size_t size = i % 20 ? (size_t)(test_random(&random) % sizeof noise) : 0;
        if (i % 3)
            send(link, noise, size, MSG_NOSIGNAL);
        else
            send_descriptors(link, noise, size, 1 + i % 8);
        close(link);
    }
    start(&ranks[2]);
    for (int i = 0; i < 3; i++)
        finish(&ranks[i], MMARN_OK, "");
    for (int i = 0; i < SILENT; i++)
        close(silent[i]);
}

/* The next message from rank 0; all zeros if it has hung up. */
static struct shm_message hear(int link)
{
    struct shm_message message;
    int descriptors[SHM_DESCRIPTORS];
    struct pollfd poll = {.fd = link, .events = POLLIN};
    shm_poll(&poll, 1, sync_deadline(60000), &(struct coll_interrupt){NULL, NULL});
    if (shm_receive(link, &message, descriptors) != SHM_RECEIVED)
        memset(&message, 0, sizeof message);
    shm_close_all(descriptors);
    return message;
}

/*
 * Sends HELLO as rank 1 of two, with a version and descriptors chosen by the test, and follows the protocol to its end.
 */
static struct shm_message say_hello(const mmarn_id *id, const char *version, const int descriptors[2], size_t size)
{
    struct coll_options options = {.id = id, .rank = 1, .world_size = 2, .threads = 1, .timeout_ms = 1000};
    struct shm_message message = shm_message_hello(&options);
    int link = stranger(id);
    if (version)
        strncpy(message.version, version, sizeof message.version - 1);
    if (size == sizeof message)
        shm_send(link, &message, descriptors);
    else
        send(link, &message, size, MSG_NOSIGNAL);
    for (message = hear(link); message.kind == SHM_MESSAGE_COMING || message.kind == SHM_MESSAGE_ENTRY;
         message = hear(link)) {
        struct shm_message answer = shm_message_make(SHM_MESSAGE_CONFIRMED, &options);
        if (message.kind == SHM_MESSAGE_ENTRY)
            shm_send(link, &answer, NULL);
    }
    close(link);
    return message;
}

static void another_version_is_told(void **state)
{
    (void)state;
    static const size_t sizes[] = {offsetof(struct shm_message, cpus), sizeof(struct shm_message)};
    for (int i = 0; i < 2; i++) {
        struct joiner host = make_joiner(helper_id(), 0, 2, 60000);
        start(&host);
        int descriptors[2] = {0, 1};
        struct shm_message answer = say_hello(&host.group.id, "9.8.7", descriptors, sizes[i]);
        char sentence[100];
        snprintf(sentence, sizeof sentence, "the library's version is %d.%d.%d on rank 0 but 9.8.7 on rank 1",
                 MMARN_VERSION_MAJOR, MMARN_VERSION_MINOR, MMARN_VERSION_PATCH);
        assert_int_equal(answer.kind, SHM_MESSAGE_FAILURE);
        assert_string_equal(answer.failure.sentence, sentence);
        finish(&host, MMARN_ERR_MISMATCH, sentence);
    }
}

/* Descriptors that are not a segment must not be mapped: a file that shrinks would raise SIGBUS. */
static void a_false_segment_is_refused(void **state)
{
    (void)state;
    int memfd = memfd_create("false", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(memfd, (off_t)shm_segment_size(1)), 0);
    for (int sealed = 0; sealed < 2; sealed++) {
        struct joiner host = make_joiner(helper_id(), 0, 2, 60000);
        char sentence[100];
        int descriptors[2] = {memfd, memfd};
        start(&host);
        struct shm_message answer = say_hello(&host.group.id, NULL, descriptors, sizeof(struct shm_message));
        assert_int_equal(answer.kind, SHM_MESSAGE_FAILURE);
        snprintf(sentence, sizeof sentence, "what rank 1 sent is not a sealed segment of %zu bytes",
                 shm_segment_size(1));
        finish(&host, MMARN_ERR_PEER, sealed ? "what rank 1 sent is not its segment" : sentence);
        assert_int_equal(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), sealed ? -1 : 0);
    }
    close(memfd);
}

/* Sends HELLO as rank 1 of three, and dies when it has been accepted. */
static void die_on_the_way(const mmarn_id *id)
{
    struct coll_options options = {.id = id, .rank = 1, .world_size = 3, .threads = 1, .timeout_ms = 1000};
    struct shm_message message = shm_message_hello(&options);
    int descriptors[2] = {0, 1};
    int link = stranger(id);
    shm_send(link, &message, descriptors);
    while (hear(link).kind != SHM_MESSAGE_COMING)
        continue;
    raise(SIGKILL);
}

static void death_on_the_way_is_told(void **state)
{
    (void)state;
    struct joiner host = make_joiner(helper_id(), 0, 3, 60000);
    pid_t pid = fork();
    if (!pid)
        die_on_the_way(&host.group.id);
    start(&host);
    assert_int_equal(ranks_wait(pid), -SIGKILL);
    finish(&host, MMARN_ERR_PEER, "rank 1 left while the group was being formed");
}

/*
 * In a child: joins with only `spare` descriptors left. Exits with 0 if it joined, with 1 if it failed and cleaned up.
 */
static int join_with_few(const struct helper_group *group, int spare)
{
    struct coll *coll = NULL;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    struct rlimit low = limit;
    int before = helper_descriptors();
    int next = dup(0);
    close(next);
    low.rlim_cur = (rlim_t)(next + spare);
    setrlimit(RLIMIT_NOFILE, &low);
    mmarn_status status = helper_join(group, 1, &coll);
    if (!status)
        coll->transport->leave(coll);
    setrlimit(RLIMIT_NOFILE, &limit);
    if (helper_descriptors() != before)
        return 2;
    return status ? 1 : 0;
}

static void too_few_descriptors_are_an_error(void **state)
{
    (void)state;
    bool joined = false;
    for (int spare = 0; spare < 14; spare++) {
        struct joiner host = make_joiner(helper_id(), 0, 2, 100);
        pid_t pid = fork();
        if (!pid)
            _exit(join_with_few(&host.group, spare));
        struct coll *coll = NULL;
        mmarn_status status = helper_join(&host.group, 0, &coll);
        if (!status)
            coll->transport->leave(coll);
        int code = ranks_wait(pid);
        assert_in_range(code, 0, 1);
        assert_int_equal(!status, !code);
        joined = joined || !code;
    }
    assert_true(joined);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(missing_ranks_are_named, count_before, nothing_left),
        cmocka_unit_test_setup_teardown(a_guest_knows_who_is_missing, count_before, nothing_left),
        cmocka_unit_test_setup_teardown(an_absent_host_is_named, count_before, nothing_left),
        cmocka_unit_test_setup_teardown(late_ranks_are_waited_for, count_before, nothing_left),
        cmocka_unit_test_setup_teardown(another_world_size_is_told, count_before, nothing_left),
        cmocka_unit_test_setup_teardown(a_double_rank_is_told, count_before, nothing_left),
        cmocka_unit_test_setup_teardown(a_foreign_id_is_refused, count_before, nothing_left),
        cmocka_unit_test_setup_teardown(strangers_do_not_stop_the_group, count_before, nothing_left),
        cmocka_unit_test_setup_teardown(another_version_is_told, count_before, nothing_left),
        cmocka_unit_test_setup_teardown(a_false_segment_is_refused, count_before, nothing_left),
        cmocka_unit_test_setup_teardown(death_on_the_way_is_told, count_before, nothing_left),
        cmocka_unit_test_setup_teardown(too_few_descriptors_are_an_error, count_before, nothing_left),
    };
    test_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
