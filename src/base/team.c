/* SPDX-License-Identifier: MIT */
/*
 * team.c - the threads of a team and their one word of work: the number of the job, how many threads it is open to, and
 * how many have begun. A thread that finds a new number begins by counting itself in, unless the caller has already
 * closed the job. So the caller waits for exactly the threads that have begun.
 */
#include "base/team.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/float_env.h"
#include "base/memory.h"
#include "base/sync.h"
#include "mmarn/mmarn_types.h"

/* Kernels need 96 KiB. The rest is for the caller's functions, and for what a program keeps for each thread. */
enum { STACK_SIZE = 2 << 20 };

/* A thread spins for as long as ranks do (coll/shm/wait.c): that covers the time between most calls. */
enum { SPIN_NS = 50000, SPINS_PER_CLOCK = 16 };

/* The fields of the word. open: the threads 1 .. open may begin; 0: the job is closed; STOP: threads must end. */
enum { OPEN_SHIFT = 16, NUMBER_SHIFT = 32, FIELD = 0xffff, STOP = FIELD };
_Static_assert(MMARN_MAX_THREADS < STOP, "the number of a thread must fit into its field");

struct worker {
    struct team *team;
    int thread;
    uint32_t number; /* of the last job that this thread has looked at */
    pthread_t handle;
};

/* Members that are written together share cache lines. */
struct team {
    /* Stored by the caller, seq_cst with the event below, and counted up by threads that begin: their acquire pairs
       with the caller's store, and is what makes fn and the rest visible to them. */
    _Alignas(64) _Atomic uint64_t job;
    struct sync_event called; /* notified of a new job */
    atomic_bool spin;         /* a hint, which nothing pairs with */
    team_fn *fn;
    void *ctx;
    const struct float_env *of_caller;
    /* Added to by threads that have come to their end, seq_cst with the event; the caller's load of the full number
       pairs with these and makes all that they did visible to it. */
    _Alignas(64) _Atomic uint32_t finished;
    struct sync_event done;
    _Alignas(64) int size;
    struct worker *workers[MMARN_MAX_THREADS - 1]; /* kept after their threads have ended */
};

static uint32_t number_of(uint64_t job)
{
    return (uint32_t)(job >> NUMBER_SHIFT);
}

static uint32_t open_of(uint64_t job)
{
    return (uint32_t)(job >> OPEN_SHIFT) & FIELD;
}

static uint32_t begun_of(uint64_t job)
{
    return (uint32_t)job & FIELD;
}

static uint64_t job_of(uint32_t number, uint32_t open, uint32_t begun)
{
    return (uint64_t)number << NUMBER_SHIFT | (uint64_t)open << OPEN_SHIFT | begun;
}

/* ------------------------------------------------------------------------------------------------------ waiting */

typedef bool ready_fn(const struct team *team, uint32_t number);

/* Is there a new job for a thread that has seen this one? */
static bool is_called(const struct team *team, uint32_t number)
{
    const uint64_t job = atomic_load(&team->job);
    return number_of(job) != number || open_of(job) == STOP;
}

static bool is_finished(const struct team *team, uint32_t number)
{
    return atomic_load(&team->finished) == number;
}

static void wait_until(struct team *team, ready_fn *ready, uint32_t number, struct sync_event *event)
{
    const bool spin = atomic_load_explicit(&team->spin, memory_order_relaxed);
    if (ready(team, number))
        return;
    const int64_t end = spin ? sync_now() + SPIN_NS : 0;
    while (spin && sync_now() < end)
        for (int i = 0; i < SPINS_PER_CLOCK; i++) {
            if (ready(team, number))
                return;
            sync_relax();
        }
    for (bool is_ready = false; !is_ready;) {
        const uint32_t ticket = sync_event_enter(event);
        is_ready = ready(team, number);
        if (!is_ready)
            sync_event_sleep(event, ticket, INT64_MAX);
        sync_event_exit(event);
    }
}

/* ------------------------------------------------------------------------------------------------------ threads */

/* Counts the thread in for a new job. */
static bool begin(struct worker *worker)
{
    struct team *team = worker->team;
    uint64_t job = atomic_load(&team->job);
    do {
        if (number_of(job) == worker->number || open_of(job) == STOP)
            return false;
        if ((uint32_t)worker->thread > open_of(job)) {
            worker->number = number_of(job);
            return false;
        }
    } while (!atomic_compare_exchange_weak(&team->job, &job, job + 1));
    worker->number = number_of(job);
    return true;
}

static void work(struct worker *worker)
{
    struct team *team = worker->team;
    struct float_scope scope __attribute__((cleanup(float_scope_end)));
    float_scope_join(&scope, team->of_caller);
    team->fn(team->ctx, worker->thread);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct team *team = worker->team;
    while (open_of(atomic_load(&team->job)) != STOP) {
        if (begin(worker)) {
            work(worker);
            atomic_fetch_add(&team->finished, 1);
            sync_event_notify(&team->done);
        }
        wait_until(team, is_called, worker->number, &team->called);
    }
    return NULL;
}

static int start(struct team *team, struct worker *worker)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    worker->team = team;
    worker->thread = team->size + 1;
    worker->number = number_of(atomic_load(&team->job));
    int error = pthread_attr_init(&attributes);
    if (error)
        return error;
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&worker->handle, &attributes, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!error)
        pthread_setname_np(worker->handle, "mmarn");
    return error;
}

/* ------------------------------------------------------------------------------------------------------ the team */

struct team *team_create(void)
{
    return memory_alloc(1, sizeof(struct team));
}

void team_free(struct team *team)
{
    for (int i = 0; i < MMARN_MAX_THREADS - 1; i++)
        memory_free(team->workers[i]);
    memory_free(team);
}

int team_size(const struct team *team)
{
    return team->size;
}

int team_grow(struct team *team, int size)
{
    const uint64_t job = atomic_load(&team->job);
    if (team->size == 0)
        atomic_store(&team->job, job_of(number_of(job), 0, 0));
    while (team->size < size && team->size < MMARN_MAX_THREADS - 1) {
        struct worker **worker = &team->workers[team->size];
        if (!*worker)
            *worker = memory_alloc(1, sizeof **worker);
        const int error = *worker ? start(team, *worker) : ENOMEM;
        if (error)
            return error;
        team->size++;
    }
    return 0;
}

void team_place(struct team *team, int thread, const struct affinity *mask)
{
    pthread_setaffinity_np(team->workers[thread - 1]->handle, sizeof mask->sets, mask->sets);
}

/* From here on no thread can begin. Returns how many have begun. */
static uint32_t close_job(struct team *team)
{
    uint64_t job = atomic_load(&team->job);
    while (!atomic_compare_exchange_weak(&team->job, &job, job & ~((uint64_t)FIELD << OPEN_SHIFT)))
        ;
    return begun_of(job);
}

void team_run(struct team *team, int threads, bool spin, team_fn *fn, void *ctx)
{
    team->fn = fn;
    team->ctx = ctx;
    team->of_caller = float_env_of_caller();
    atomic_store_explicit(&team->spin, spin, memory_order_relaxed);
    atomic_store_explicit(&team->finished, 0, memory_order_relaxed); /* no thread is working */
    const uint32_t number = number_of(atomic_load_explicit(&team->job, memory_order_relaxed)) + 1;
    atomic_store(&team->job, job_of(number, (uint32_t)threads - 1, 0));
    sync_event_notify(&team->called);
    fn(ctx, 0);
    wait_until(team, is_finished, close_job(team), &team->done);
}

void team_stop(struct team *team)
{
    atomic_store(&team->job, job_of(number_of(atomic_load(&team->job)), STOP, 0));
    sync_event_notify(&team->called);
    while (team->size > 0)
        pthread_join(team->workers[--team->size]->handle, NULL);
}

/* A thread that forked in the middle of a job finds the job closed, or ends. */
void team_forget(struct team *team)
{
    atomic_store(&team->job, job_of(number_of(atomic_load(&team->job)), STOP, 0));
    atomic_store(&team->finished, 0);
    team->called = team->done = (struct sync_event){0};
    team->size = 0;
}
