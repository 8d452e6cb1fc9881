/* SPDX-License-Identifier: MIT */
/*
 * threads.c - what it costs to hand work to the threads of a rank (base/threads.h) and to have it back, beside OpenMP's
 * team where the compiler has one: microseconds of a call, medians. Both take turns in one process, so that what else
 * the machine does hits both. By hand: build/bench/threads.
 *
 *   meet     every thread waits for all the others: the slowest one's way there and back
 *   share    64 pieces of work, each of about 0.1 us, which go to whoever comes for them
 *
 * Calls follow each other at once, and after 200 us, by when the library's threads are asleep.
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/sync.h"
#include "base/threads.h"

enum {
    ROUNDS = 40,
    CALLS = 50,
    PAUSE_NS = 200000,
    PIECES = 64,
    PIECE = 100,
    POLLS = 1000,
    SETTLE_US = 20000,
    WARM = 10
};

struct call {
    int threads;
    atomic_int came, next;
    atomic_int sink;
};

static void meet(void *ctx, int thread)
{
    struct call *call = ctx;
    (void)thread;
    atomic_fetch_add(&call->came, 1);
    for (int polls = 0; atomic_load(&call->came) < call->threads; polls++)
        if (polls < POLLS)
            sync_relax();
        else
            sched_yield();
}

static void share(void *ctx, int thread)
{
    struct call *call = ctx;
    unsigned value = (unsigned)thread;
    while (atomic_fetch_add_explicit(&call->next, 1, memory_order_relaxed) < PIECES)
        for (int i = 0; i < PIECE; i++)
            value = value * 1664525U + 1013904223U;
    atomic_fetch_add_explicit(&call->sink, (int)(value & 1), memory_order_relaxed);
}

typedef void work_fn(void *ctx, int thread);

#if defined(_OPENMP)
#include <omp.h>
static void run_openmp(int threads, work_fn *fn, void *ctx)
{
#pragma omp parallel num_threads(threads)
    fn(ctx, omp_get_thread_num());
}
#endif

typedef void run_fn(int threads, work_fn *fn, void *ctx);

static void pause_for(int64_t nanoseconds)
{
    const int64_t end = sync_now() + nanoseconds;
    while (nanoseconds && sync_now() < end)
        sync_relax();
}

/* Microseconds of each of CALLS calls. The other side's threads are let fall asleep: OpenMP's spin for milliseconds, on
   the processor that this side's need. */
static void measure(run_fn *run, work_fn *fn, int threads, int64_t pause, double *times)
{
    usleep(SETTLE_US);
    for (int i = -WARM; i < CALLS; i++) {
        struct call call = {.threads = threads};
        pause_for(pause);
        const int64_t begin = sync_now();
        run(threads, fn, &call);
        if (i >= 0)
            times[i] = (double)(sync_now() - begin) / 1000;
    }
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double median(double *times)
{
    qsort(times, ROUNDS * CALLS, sizeof *times, compare);
    return times[ROUNDS * CALLS / 2];
}

static void row(int threads, int64_t pause, const char *name, work_fn *fn)
{
    static double ours[ROUNDS * CALLS], openmp[ROUNDS * CALLS];
    for (int round = 0; round < ROUNDS; round++) {
        measure(threads_run, fn, threads, pause, ours + round * CALLS);
#if defined(_OPENMP)
        measure(run_openmp, fn, threads, pause, openmp + round * CALLS);
#endif
    }
    printf("%7d  %-6s  %-9s  %8.2f  ", threads, name, pause ? "200 us" : "none", median(ours));
#if defined(_OPENMP)
    printf("%8.2f\n", median(openmp));
#else
    (void)openmp;
    printf("%8s\n", "-");
#endif
}

int main(void)
{
    printf("threads  work    pause      mmarn us  OpenMP us   (%d processors)\n", cpu_count());
    for (int threads = 1; threads <= 4; threads *= 2) {
        threads_hold(threads, threads > cpu_count());
        for (int pauses = 0; pauses < 2; pauses++) {
            row(threads, pauses * PAUSE_NS, "meet", meet);
            row(threads, pauses * PAUSE_NS, "share", share);
        }
        threads_drop(threads > cpu_count());
    }
    return 0;
}
