/* SPDX-License-Identifier: MIT */
/*
 * threads.c - which team works for which call. Teams are in a list that only grows, and each is taken and given back by
 * one atomic flag, so there is no lock that a fork could catch. A thread that calls again prefers the team that it had.
 */
#include "base/threads.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "base/float_env.h"
#include "base/memory.h"
#include "base/openmp.h"
#include "base/sync.h"
#include "base/team.h"

/* When threads could not be had, calls try again after this time. */
enum { RETRY_NS = 1000000000 };

struct entry {
    struct entry *next;
    atomic_bool taken; /* exchanged to take it, and stored to give it back, which pairs with that; guards the rest */
    atomic_int size;   /* of the team, for those who look for one: a hint, which nothing pairs with */
    struct team *team;
    int64_t retry_at; /* when threads that could not be had are asked for again, unless a group is made before */
    /* What its threads were placed for. */
    bool placed;
    uint64_t owner; /* the calling thread's number */
    unsigned holds;
    int threads;
    struct affinity mask;
    int processors; /* of the mask */
};

/* Pushed onto by compare-exchange, seq_cst like all below; the loads that walk the list pair with it. */
static _Atomic(struct entry *) entries;
/* Groups, and far below zero when the library is being unloaded. Since entries are only looked at by threads that have
   a group, no group means that nobody looks. */
static atomic_int groups;
static atomic_int crowded_groups;
static atomic_uint holds; /* ever */

enum { UNLOADED = INT_MIN / 2 };

/* ---------------------------------------------------------------------------------------- variables of OpenMP's */

int threads_limit(void)
{
    const struct openmp *variables = openmp_variables();
    int limit = variables->num_threads ? variables->num_threads : MMARN_MAX_THREADS;
    if (variables->thread_limit && variables->thread_limit < limit)
        limit = variables->thread_limit;
    return limit < MMARN_MAX_THREADS ? limit : MMARN_MAX_THREADS;
}

bool threads_bound(void)
{
    return openmp_variables()->bind != OPENMP_FREE;
}

/* ---------------------------------------------------------------------------------------------- taking a team */

/* Differs from that of every other thread that there has been. */
static uint64_t own_number(void)
{
    static _Atomic uint64_t last; /* numbers only, which nothing pairs with */
    static _Thread_local uint64_t own;
    if (!own)
        own = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    return own;
}

/* A flag that is seen to be taken is let alone, whatever else has happened: no order. */
static bool take(struct entry *entry)
{
    return !atomic_load_explicit(&entry->taken, memory_order_relaxed) && !atomic_exchange(&entry->taken, true);
}

static void give_back(struct entry *entry)
{
    atomic_store(&entry->taken, false);
}

static struct entry *add_entry(void)
{
    struct entry *entry = memory_alloc(1, sizeof *entry);
    struct team *team = entry ? team_create() : NULL;
    if (!team) {
        memory_free(entry);
        return NULL;
    }
    entry->team = team;
    atomic_store(&entry->taken, true);
    entry->next = atomic_load(&entries);
    while (!atomic_compare_exchange_weak(&entries, &entry->next, entry))
        ;
    return entry;
}

/* One that was this thread's, one that has threads enough, or any. */
static struct entry *take_entry(int threads)
{
    static _Thread_local struct entry *last;
    if (last && take(last))
        return last;
    struct entry *first = atomic_load(&entries), *entry = first;
    while (entry && !(atomic_load_explicit(&entry->size, memory_order_relaxed) >= threads - 1 && take(entry)))
        entry = entry->next;
    if (!entry)
        for (entry = first; entry && !take(entry);)
            entry = entry->next;
    return last = entry ? entry : add_entry();
}

/* -------------------------------------------------------------------------------------------- threads and places */

static void note_shortage(int got, int wanted, int error)
{
    static atomic_flag noted = ATOMIC_FLAG_INIT;
    char reason[64];
    if (!atomic_flag_test_and_set(&noted))
        error_note(
            "a rank has %d of its %d threads, as the system grants no more (%s); what limits them is RLIMIT_NPROC "
            "(ulimit -u) or a control group's pids.max",
            got, wanted, strerror_r(error, reason, sizeof reason));
}

/* Threads for a call with so many, as far as they can be had. */
static void grow(struct entry *entry, int threads)
{
    if (team_size(entry->team) >= threads - 1)
        return;
    if (entry->holds == atomic_load_explicit(&holds, memory_order_relaxed) && sync_now() < entry->retry_at)
        return;
    const int error = team_grow(entry->team, threads - 1);
    entry->retry_at = error ? sync_now() + RETRY_NS : 0;
    entry->placed = false;
    atomic_store_explicit(&entry->size, team_size(entry->team), memory_order_relaxed);
    if (error)
        note_shortage(team_size(entry->team) + 1, threads, error);
}

/* The team's threads may run where the caller may; bound, each has its place there. */
static void place(const struct entry *entry, int threads)
{
    const struct openmp *variables = openmp_variables();
    struct openmp_places places = openmp_places_within(variables, &entry->mask);
    for (int thread = 1; thread <= team_size(entry->team); thread++)
        if (places.count == 0)
            team_place(entry->team, thread, &entry->mask);
        else if (thread < threads)
            team_place(entry->team, thread, openmp_place(variables, &places, thread, threads));
    openmp_places_free(&places);
}

/* The mask is not looked at in every call: that would take a good part of the time that handing over does. */
static void look_at_mask(struct entry *entry, int threads)
{
    const uint64_t self = own_number();
    const unsigned now = atomic_load_explicit(&holds, memory_order_relaxed);
    struct affinity mask;
    if (entry->placed && entry->owner == self && entry->holds == now && (entry->threads == threads || !threads_bound()))
        return;
    const bool known = affinity_get(&mask);
    if (known && !(entry->placed && affinity_same(&mask, &entry->mask) && !threads_bound())) {
        entry->mask = mask;
        entry->processors = affinity_count(&mask);
        place(entry, threads);
    }
    entry->placed = true;
    entry->owner = self;
    entry->holds = now;
    entry->threads = threads;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

void threads_run(int threads, void (*fn)(void *ctx, int thread), void *ctx)
{
    assert(threads >= 1 && threads <= MMARN_MAX_THREADS && float_env_holds());
    const int limit = openmp_variables()->thread_limit;
    if (limit)
        threads = smaller(threads, limit);
    struct entry *entry = threads > 1 && atomic_load(&groups) > 0 ? take_entry(threads) : NULL;
    if (!entry) {
        fn(ctx, 0);
        return;
    }
    grow(entry, threads);
    look_at_mask(entry, threads);
    threads = smaller(threads, team_size(entry->team) + 1);
    const bool crowded = threads > entry->processors || atomic_load(&crowded_groups) > 0;
    if (threads > 1)
        team_run(entry->team, threads, !crowded, fn, ctx);
    else
        fn(ctx, 0);
    give_back(entry);
}

/* ----------------------------------------------------------------------------- the beginning and the end of it all */

static void nothing(void *ctx, int thread)
{
    (void)ctx, (void)thread;
}

void threads_hold(int threads, bool crowded)
{
    atomic_fetch_add(&groups, 1);
    atomic_fetch_add(&crowded_groups, crowded);
    atomic_fetch_add(&holds, 1);
    threads_run(threads, nothing, NULL);
}

/* Those that are taken belong to calls of groups that have been made meanwhile. */
static void stop_idle(void)
{
    for (struct entry *entry = atomic_load(&entries); entry; entry = entry->next)
        if (take(entry)) {
            team_stop(entry->team);
            atomic_store_explicit(&entry->size, 0, memory_order_relaxed);
            give_back(entry);
        }
}

void threads_drop(bool crowded)
{
    assert(atomic_load(&groups) != 0 && atomic_load(&crowded_groups) >= crowded);
    atomic_fetch_sub(&crowded_groups, crowded);
    /* The last group is still counted while its teams are stopped: at the exit of the process, end() may come any time.
     */
    int count = atomic_load(&groups);
    do
        if (count == 1)
            stop_idle();
    while (!atomic_compare_exchange_strong(&groups, &count, count - 1));
}

/* The parent's threads are not there, nor are their calls. Nothing is waited for, and nothing allocated. */
static void after_fork_in_child(void)
{
    for (struct entry *entry = atomic_load(&entries); entry; entry = entry->next) {
        team_forget(entry->team);
        atomic_store_explicit(&entry->size, 0, memory_order_relaxed);
        entry->retry_at = 0;
        give_back(entry);
    }
}

/* When the library is loaded, so that a fork can come at any time. */
__attribute__((constructor)) static void begin(void)
{
    pthread_atfork(NULL, NULL, after_fork_in_child);
}

/* When the library is unloaded or the process exits. A group that is still there may be in a call, whose team is left
   alone; if there is none, nobody looks at the list any more. */
__attribute__((destructor)) static void end(void)
{
    int none = 0;
    const bool unused = atomic_compare_exchange_strong(&groups, &none, UNLOADED);
    stop_idle();
    if (!unused)
        return;
    struct entry *entry = atomic_exchange(&entries, NULL);
    while (entry) {
        struct entry *next = entry->next;
        team_free(entry->team);
        memory_free(entry);
        entry = next;
    }
}
