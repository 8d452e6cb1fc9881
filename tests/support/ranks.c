/* SPDX-License-Identifier: MIT */
/* ranks.c - see ranks.h. */
#include "support/ranks.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "coll/transports.h"
#include "support/expect.h"

enum { HANG_SECONDS = 120 };

struct rank_thread {
    int rank;
    ranks_fn *fn;
    void *ctx;
    bool ok;
    pthread_t thread;
};

static void *thread_main(void *arg)
{
    struct rank_thread *self = arg;
    expect_name("rank %d", self->rank);
    self->ok = self->fn(self->rank, self->ctx);
    return NULL;
}

bool ranks_run_threads(int first, int count, ranks_fn *fn, void *ctx)
{
    struct rank_thread ranks[MMARN_MAX_RANKS];
    bool ok = true;
    for (int i = 0; i < count; i++) {
        ranks[i] = (struct rank_thread){.rank = first + i, .fn = fn, .ctx = ctx};
        if (pthread_create(&ranks[i].thread, NULL, thread_main, &ranks[i]) != 0)
            abort();
    }
    for (int i = 0; i < count; i++) {
        pthread_join(ranks[i].thread, NULL);
        ok = ok && ranks[i].ok;
    }
    return ok;
}

pid_t ranks_fork(int rank, ranks_fn *fn, void *ctx)
{
    const int before = expect_failures();
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        abort();
    if (pid > 0)
        return pid;
    alarm(HANG_SECONDS);
    expect_name("rank %d", rank);
    const bool ok = fn(rank, ctx) && expect_failures() == before;
    fflush(stdout);
    _exit(ok ? 0 : 1);
}

int ranks_wait(pid_t child)
{
    int state;
    while (waitpid(child, &state, 0) < 0)
        if (errno != EINTR)
            abort();
    return WIFSIGNALED(state) ? -WTERMSIG(state) : WEXITSTATUS(state);
}

void *ranks_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    return memory;
}

void ranks_shared_free(void *memory, size_t size)
{
    munmap(memory, size);
}

const char *ranks_transport(void)
{
    const char *name = getenv("MMARN_TEST_TRANSPORT");
    return name && *name ? name : NULL;
}

bool ranks_transport_serves(int world_size)
{
    bool known = !ranks_transport();
    for (int i = 0; coll_transports[i] && !known; i++)
        known = strcmp(coll_transports[i]->name, ranks_transport()) == 0;
    if (!known) {
        fprintf(stderr, "MMARN_TEST_TRANSPORT is \"%s\", which is no transport\n", ranks_transport());
        abort();
    }
    static const mmarn_id any;
    const struct coll_options options = {.id = &any, .world_size = world_size, .threads = 1};
    struct error error;
    return coll_find(ranks_transport(), &options, &error) != NULL;
}

void ranks_sleep(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

double ranks_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}
