/* SPDX-License-Identifier: MIT */
/* group.c - ranks as forked processes or as threads. Reports go through memory that is mapped before the fork. */
#include "group.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "coll/transports.h"

enum { FAILURE_SIZE = 512, HANG_SECONDS = 120 };

struct report {
    char failure[MMARN_MAX_RANKS][FAILURE_SIZE];
};

struct thread_rank {
    struct group_rank rank;
    group_fn *fn;
    void *ctx;
    bool ok;
};

void *group_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    return memory;
}

void group_shared_free(void *memory, size_t size)
{
    munmap(memory, size);
}

bool group_fail(struct group_rank *rank, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(rank->failure, FAILURE_SIZE, format, args);
    va_end(args);
    return false;
}

double group_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

const char *group_transport(void)
{
    const char *name = getenv("MMARN_TEST_TRANSPORT");
    return name && *name ? name : NULL;
}

bool group_serves(int world_size)
{
    bool known = !group_transport();
    for (int i = 0; coll_transports[i] && !known; i++)
        known = strcmp(coll_transports[i]->name, group_transport()) == 0;
    if (!known) {
        fprintf(stderr, "MMARN_TEST_TRANSPORT is \"%s\", which is no transport\n", group_transport());
        abort();
    }
    static const mmarn_id any;
    const struct coll_options options = {.id = &any, .world_size = world_size, .threads = 1};
    struct error error;
    return coll_find(group_transport(), &options, &error) != NULL;
}

mmarn_comm *group_join(struct group_rank *rank, int threads)
{
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    config.rank = rank->rank;
    config.world_size = rank->world_size;
    config.threads = threads;
    config.timeout_ms = 10000;
    config.transport = group_transport();
    mmarn_comm *comm = NULL;
    mmarn_status status = mmarn_comm_create(&rank->id, &config, &comm);
    if (status != MMARN_OK)
        group_fail(rank, "joining: %s (%s)", mmarn_status_string(status), mmarn_last_error());
    return comm;
}

static struct group_rank rank_of(struct report *report, const mmarn_id *id, int rank, int world_size)
{
    return (struct group_rank){rank, world_size, *id, report->failure[rank]};
}

static bool print_failures(const struct report *report, int world_size)
{
    bool ok = true;
    for (int i = 0; i < world_size; i++)
        if (report->failure[i][0]) {
            printf("rank %d of %d: %s\n", i, world_size, report->failure[i]);
            ok = false;
        }
    return ok;
}

static void *thread_main(void *arg)
{
    struct thread_rank *self = arg;
    self->ok = self->fn(&self->rank, self->ctx);
    return NULL;
}

static bool run_threads(struct report *report, const mmarn_id *id, int world_size, group_fn *fn, void *ctx)
{
    struct thread_rank ranks[MMARN_MAX_RANKS];
    pthread_t threads[MMARN_MAX_RANKS];
    bool ok = true;
    for (int i = 0; i < world_size; i++) {
        ranks[i] = (struct thread_rank){rank_of(report, id, i, world_size), fn, ctx, false};
        if (pthread_create(&threads[i], NULL, thread_main, &ranks[i]) != 0)
            abort();
    }
    for (int i = 0; i < world_size; i++) {
        pthread_join(threads[i], NULL);
        ok &= ranks[i].ok;
    }
    return ok;
}

static void child_main(struct report *report, const mmarn_id *id, int rank, int world_size, group_fn *fn, void *ctx)
{
    alarm(HANG_SECONDS);
    struct group_rank self = rank_of(report, id, rank, world_size);
    bool ok = fn(&self, ctx);
    fflush(stdout);
    _exit(ok ? 0 : 1);
}

static bool run_processes(struct report *report, const mmarn_id *id, int world_size, group_fn *fn, void *ctx,
                          void (*during)(const pid_t *ranks, void *ctx))
{
    pid_t pids[MMARN_MAX_RANKS];
    bool ok = true;
    fflush(stdout);
    for (int i = 0; i < world_size; i++) {
        pids[i] = fork();
        if (pids[i] < 0)
            abort();
        if (pids[i] == 0)
            child_main(report, id, i, world_size, fn, ctx);
    }
    if (during)
        during(pids, ctx);
    for (int i = 0; i < world_size; i++) {
        int status = 0;
        waitpid(pids[i], &status, 0);
        bool killed_on_purpose = during && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        if (WIFSIGNALED(status) && !killed_on_purpose)
            snprintf(report->failure[i], FAILURE_SIZE, "ended by signal %d", WTERMSIG(status));
        ok &= killed_on_purpose || (WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    return ok;
}

static bool run(enum group_mode mode, int world_size, group_fn *fn, void *ctx,
                void (*during)(const pid_t *ranks, void *ctx))
{
    if (!group_serves(world_size))
        return true;
    struct report *report = group_shared(sizeof *report);
    mmarn_id id;
    if (mmarn_id_create(&id) != MMARN_OK)
        abort();
    bool ok = mode == GROUP_THREADS ? run_threads(report, &id, world_size, fn, ctx)
                                    : run_processes(report, &id, world_size, fn, ctx, during);
    ok &= print_failures(report, world_size);
    group_shared_free(report, sizeof *report);
    return ok;
}

bool group_run(enum group_mode mode, int world_size, group_fn *fn, void *ctx)
{
    return run(mode, world_size, fn, ctx, NULL);
}

bool group_run_with(int world_size, group_fn *fn, void *ctx, void (*during)(const pid_t *ranks, void *ctx))
{
    return run(GROUP_PROCESSES, world_size, fn, ctx, during);
}
