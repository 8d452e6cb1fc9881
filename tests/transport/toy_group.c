/* SPDX-License-Identifier: MIT */
/* toy_group.c - the memory of the toy's groups, joining one, and leaving it. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/error.h"
#include "toy.h"

struct arena *toy_arena;

__attribute__((constructor)) static void map_arena(void)
{
    pthread_mutexattr_t attributes;
    toy_arena =
        mmap(NULL, sizeof *toy_arena, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (toy_arena == MAP_FAILED)
        abort();
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&toy_arena->lock, &attributes);
}

/* The data under the lock are consistent at every instant, so a rank that died there has left nothing to repair. */
void toy_lock(void)
{
    if (pthread_mutex_lock(&toy_arena->lock) == EOWNERDEAD)
        pthread_mutex_consistent(&toy_arena->lock);
}

void toy_unlock(void)
{
    pthread_mutex_unlock(&toy_arena->lock);
}

void toy_pause(void)
{
    toy_unlock();
    nanosleep(&(struct timespec){0, TICK_NS}, NULL);
    toy_lock();
}

bool toy_supports(const struct coll_options *options, const char **why)
{
    *why = "\"toy\" needs an id, and serves up to 8 ranks of up to 23 threads";
    return options->id && options->world_size <= RANKS && options->threads < SLOTS;
}

static bool is_over(const struct group *group)
{
    bool over = true;
    for (int rank = 0; rank < group->world_size; rank++) {
        const struct member *member = &group->members[rank];
        over = over && (member->left || !member->here || (kill(member->pid, 0) < 0 && errno == ESRCH));
    }
    return over;
}

/* Under the lock. */
static struct group *find_group(const struct coll_options *options)
{
    struct group *free_one = NULL;
    for (int i = 0; i < GROUPS; i++) {
        struct group *group = &toy_arena->groups[i];
        if (group->used && !memcmp(group->nonce, coll_id_nonce(options->id), COLL_NONCE_SIZE))
            return group;
        if (!free_one && (!group->used || is_over(group)))
            free_one = group;
    }
    if (free_one) {
        memset(free_one, 0, sizeof *free_one);
        memcpy(free_one->nonce, coll_id_nonce(options->id), COLL_NONCE_SIZE);
        free_one->world_size = options->world_size;
        free_one->used = true;
    }
    return free_one;
}

static int members_of(const struct group *group)
{
    int count = 0;
    for (int rank = 0; rank < group->world_size; rank++)
        count += group->members[rank].here;
    return count;
}

static bool enter(struct toy *toy, const struct coll_options *options, struct error *error)
{
    struct group *group = toy->group = find_group(options);
    if (!group)
        return error_fail(error, MMARN_ERR_MEMORY, "there is no room for another group");
    if (group->world_size != options->world_size)
        return error_fail(error, MMARN_ERR_MISMATCH, "world_size is %d on rank 0 but %d on rank %d", group->world_size,
                          options->world_size, options->rank);
    if (toy_own(toy)->here)
        return error_fail(error, MMARN_ERR_MISMATCH, "rank %d joined twice", options->rank);
    toy_own(toy)->pid = getpid();
    toy_own(toy)->threads = options->threads;
    toy_own(toy)->timeout_ms = options->timeout_ms;
    toy_own(toy)->here = true;
    return true;
}

/* Fails on all ranks if it fails on one, because ranks that come later see the group's failure. */
static bool await_all(struct toy *toy, int64_t deadline, struct error *error)
{
    struct group *group = toy->group;
    while (members_of(group) < group->world_size && group->cause == HEALTHY) {
        toy_pause();
        if (coll_interrupted(&toy->coll.interrupt))
            toy_fail(toy, ABORTED, -1, 0);
        else if (sync_now() > deadline)
            toy_fail(toy, TIMEOUT, -1, 0);
    }
    if (group->cause == ABORTED)
        return error_fail(error, MMARN_ERR_ABORTED, "rank %d was interrupted while the group was being formed",
                          group->by);
    if (group->cause == TIMEOUT)
        return error_fail(error, MMARN_ERR_TIMEOUT, "not all ranks joined within %d ms", toy_own(toy)->timeout_ms);
    return toy_healthy(toy, error);
}

static void settle(struct toy *toy)
{
    int threads = 0;
    for (int rank = 0; rank < toy->group->world_size; rank++) {
        const struct member *member = &toy->group->members[rank];
        threads += member->threads;
        if (member->threads > toy->coll.max_threads)
            toy->coll.max_threads = member->threads;
        if (member->pid != getpid()) /* a thread of this process cannot die alone */
            toy->processes[rank] = (int)syscall(SYS_pidfd_open, member->pid, 0);
    }
    toy->coll.oversubscribed = threads > cpu_count();
    toy->coll.event = &toy_own(toy)->event;
}

static void destroy(struct toy *toy)
{
    for (int rank = 0; rank < RANKS; rank++)
        if (toy->processes[rank] >= 0)
            close(toy->processes[rank]);
    free(toy);
}

bool toy_join(const struct coll_options *options, struct coll **coll, struct error *error)
{
    const int64_t deadline = sync_deadline(options->timeout_ms);
    struct toy *toy = calloc(1, sizeof *toy);
    if (!toy)
        return error_fail(error, MMARN_ERR_MEMORY, "no memory for a group of %d ranks", options->world_size);
    toy->coll = (struct coll){.transport = &coll_transport_toy,
                              .rank = options->rank,
                              .world_size = options->world_size,
                              .timeout_ms = options->timeout_ms,
                              .interrupt = options->interrupt};
    for (int rank = 0; rank < RANKS; rank++)
        toy->processes[rank] = -1;
    toy_lock();
    bool joined = enter(toy, options, error);
    if (joined) {
        joined = await_all(toy, deadline, error);
        if (joined)
            settle(toy);
        else
            toy_own(toy)->left = true;
    }
    toy_unlock();
    if (joined)
        *coll = &toy->coll;
    else
        destroy(toy);
    return joined;
}

void toy_leave(struct coll *coll)
{
    struct toy *toy = toy_of(coll);
    if (!toy->forked) {
        toy_lock();
        toy_own(toy)->left = true;
        toy_wake_all(toy->group);
        toy_unlock();
    }
    destroy(toy);
}
