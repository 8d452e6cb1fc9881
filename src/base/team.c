/* SPDX-License-Identifier: MIT */
/*
 * team.c - a team's one word says what there is to do: the number of the job, how many threads it is open to, and how
 * many have begun. A thread that finds a new number begins by counting itself in, unless the caller has closed the job
 * by then; so whoever has begun is waited for, and nobody else is.
 */
#include "base/team.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/cpu.h"
#include "base/float_env.h"
#include "base/memory.h"
#include "base/sync.h"
#include "mmarn/mmarn_types.h"

/* Kernels need 96 KiB; the rest is for the caller's functions, and for what a program keeps for each thread. */
enum { STACK_SIZE = 2 << 20 };

enum { SPINS_PER_CLOCK = 16 };

/* How often a thread may move away from another one's processor, at most. */
enum { MOVE_NS = 1000000 };

/* The word. open: the threads 1 .. open may begin; 0 when the job is closed; STOP: threads are to end. */
enum { OPEN_SHIFT = 16, NUMBER_SHIFT = 32, FIELD = 0xffff, STOP = FIELD };
_Static_assert(MMARN_MAX_THREADS < STOP, "the number of a thread must fit into its field");

struct worker {
    struct team *team;
    int thread;
    uint32_t number; /* of the last job that it has looked at */
    int64_t moved;   /* when it last moved */
    pthread_t handle;
};

/* Lines that are written together lie together. */
struct team {
    /* Stored by the caller, seq_cst with the event count below, and counted up by threads that begin: their acquire
       pairs with the caller's store, and makes fn and the rest visible to them. */
    _Alignas(64) _Atomic uint64_t job;
    struct sync_event called; /* notified of a new job */
    atomic_bool spin;         /* a hint; nothing pairs with it */
    team_fn *fn;
    void *ctx;
    const struct float_env *of_caller;
    /* Incremented by threads that have finished, seq_cst with the event count. The caller's load of the full number
       pairs with these and makes all that they did visible to it. */
    _Alignas(64) _Atomic uint32_t finished;
    struct sync_event done;
    _Alignas(64) int size;
    struct worker *workers[MMARN_MAX_THREADS - 1]; /* kept when their threads have ended */
    /* By thread: the processor that it was on last, or -1. Hints, which nothing pairs with; rarely written. */
    _Alignas(64) atomic_int processors[MMARN_MAX_THREADS];
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

/* Is there something new for a thread that has seen this job? */
static bool is_called(const struct team *team, uint32_t number)
{
    const uint64_t job = atomic_load(&team->job);
    return number_of(job) != number || open_of(job) == STOP;
}

static bool is_finished(const struct team *team, uint32_t number)
{
    return atomic_load(&team->finished) == number;
}

static void wait_until(struct team *team, bool spin, ready_fn *ready, uint32_t number, struct sync_event *event)
{
    if (ready(team, number))
        return;
    const int64_t end = spin ? sync_now() + SYNC_SPIN_NS : 0;
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

/* -------------------------------------------------------------------------------------------------- processors */

/* Notes where a thread is, and returns it. */
static int note_processor(struct team *team, int thread)
{
    atomic_int *noted = &team->processors[thread];
    const int here = cpu_current();
    if (atomic_load_explicit(noted, memory_order_relaxed) != here)
        atomic_store_explicit(noted, here, memory_order_relaxed);
    return here;
}

/* Is one of the threads from the first one on, before the end, on this processor? */
static bool is_shared(const struct team *team, int processor, int first, int end)
{
    for (int thread = first; thread < end; thread++)
        if (atomic_load_explicit(&team->processors[thread], memory_order_relaxed) == processor)
            return true;
    return false;
}

/* May the thread look again without keeping another one from its work? Of two on one processor the later sleeps. */
static bool may_spin(struct team *team, int thread)
{
    return atomic_load_explicit(&team->spin, memory_order_relaxed) &&
           !is_shared(team, note_processor(team, thread), 0, thread);
}

/*
 * A thread that wakes up while all other processors are busy for a moment does so on its caller's, and is left there by
 * the system, as it sleeps again before its load is balanced. So it moves by itself, and of two the later.
 */
static void move_apart(struct worker *worker, int threads)
{
    struct team *team = worker->team;
    int taken[MMARN_MAX_THREADS];
    const int here = note_processor(team, worker->thread);
    if (!atomic_load_explicit(&team->spin, memory_order_relaxed) || !is_shared(team, here, 0, worker->thread))
        return;
    const int64_t now = sync_now();
    if (now - worker->moved < MOVE_NS)
        return;
    for (int thread = 0; thread < threads; thread++)
        taken[thread] = atomic_load_explicit(&team->processors[thread], memory_order_relaxed);
    cpu_avoid(taken, threads);
    worker->moved = now;
    note_processor(team, worker->thread);
}

/* ------------------------------------------------------------------------------------------------------ threads */

/* Counts the thread in for a new job, and says of how many threads. */
static bool begin(struct worker *worker, int *threads)
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
    *threads = (int)open_of(job) + 1;
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
    int threads;
    while (open_of(atomic_load(&team->job)) != STOP) {
        if (begin(worker, &threads)) {
            move_apart(worker, threads);
            work(worker);
            atomic_fetch_add(&team->finished, 1);
            sync_event_notify(&team->done);
        }
        wait_until(team, may_spin(team, worker->thread), is_called, worker->number, &team->called);
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
    atomic_store_explicit(&team->processors[worker->thread], -1, memory_order_relaxed);
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
    assert(team->size == 0);
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
    assert(thread >= 1 && thread <= team->size);
    pthread_setaffinity_np(team->workers[thread - 1]->handle, sizeof mask->sets, mask->sets);
}

/* Nobody can begin any more. How many have? */
static uint32_t close_job(struct team *team)
{
    uint64_t job = atomic_load(&team->job);
    while (!atomic_compare_exchange_weak(&team->job, &job, job & ~((uint64_t)FIELD << OPEN_SHIFT)))
        ;
    return begun_of(job);
}

void team_run(struct team *team, int threads, bool spin, team_fn *fn, void *ctx)
{
    assert(threads >= 1 && threads <= team->size + 1 && open_of(atomic_load(&team->job)) == 0);
    team->fn = fn;
    team->ctx = ctx;
    team->of_caller = float_env_of_caller();
    note_processor(team, 0);
    atomic_store_explicit(&team->spin, spin, memory_order_relaxed);
    atomic_store_explicit(&team->finished, 0, memory_order_relaxed); /* nobody is at work */
    const uint32_t number = number_of(atomic_load_explicit(&team->job, memory_order_relaxed)) + 1;
    atomic_store(&team->job, job_of(number, (uint32_t)threads - 1, 0));
    sync_event_notify(&team->called);
    fn(ctx, 0);
    const uint32_t begun = close_job(team);
    if (!is_finished(team, begun))
        wait_until(team, spin && !is_shared(team, note_processor(team, 0), 1, threads), is_finished, begun,
                   &team->done);
}

void team_stop(struct team *team)
{
    atomic_store(&team->job, job_of(number_of(atomic_load(&team->job)), STOP, 0));
    sync_event_notify(&team->called);
    while (team->size > 0)
        pthread_join(team->workers[--team->size]->handle, NULL);
}

/* A thread that forked in the middle of a job finds that it is closed, or ends. */
void team_forget(struct team *team)
{
    atomic_store(&team->job, job_of(number_of(atomic_load(&team->job)), STOP, 0));
    atomic_store(&team->finished, 0);
    team->called = team->done = (struct sync_event){0};
    team->size = 0;
}
