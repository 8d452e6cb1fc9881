/* SPDX-License-Identifier: MIT */
/*
 * peak.c - runs the peak kernels in several processes at once. A barrier aligns the passes. The rate of a pass is what
 * all processes did from the first start to the last end: if their rates were added up instead, two processes that had
 * to take turns would each show what one can do alone. The median pass is the ceiling for times that are medians too,
 * because the same disturbances of the machine affect both. The best pass shows how quiet the machine was.
 */
#include "peak.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cpu.h"
#include "clock.h"
#include "exit_status.h"
#include "machine.h"
#include "median.h"
#include "mmarn/mmarn.h"
#include "pin.h"
#include "ranks.h"

enum { PASSES = 48, BRIEF_PASSES = 3, MAX_LEVELS = 7 };
/* The places that are read from. */
enum place { MEMORY, CACHE, PLACES };

/* A few million cycles: long compared with the barrier, short compared with a scheduler's time slice. */
static const int64_t ROUNDS = 1 << 19;

const char *const peak_kind_names[PEAK_KINDS] = {"fp32", "bf16", "int8"};

struct level {
    enum peak_kind kind;
    const char *name;
    peak_fn *run;
};

/* One worker's part of one pass. */
struct span {
    double start, end, amount; /* operations, or bytes */
};

/* How a place is read: a pass reads one slice of a worker's memory, this many times. */
struct reading {
    int64_t bytes; /* of each worker's memory; 0: the place is not measured */
    int slices, turns;
};

struct measurement {
    pthread_barrier_t barrier;
    int workers, levels, passes;
    struct level level[MAX_LEVELS];
    struct reading reading[PLACES];
    struct span span[MAX_LEVELS + PLACES][PASSES][MMARN_MAX_RANKS]; /* places come after the levels */
};

enum peak_kind peak_kind_of(const char *name)
{
    for (int kind = 0; kind < PEAK_KINDS; kind++)
        if (strcmp(name, peak_kind_names[kind]) == 0)
            return (enum peak_kind)kind;
    return PEAK_FP32;
}

static void find_levels(struct measurement *all)
{
    all->level[all->levels++] = (struct level){PEAK_FP32, "baseline", peak_fp32_ref};
    all->level[all->levels++] = (struct level){PEAK_INT8, "baseline", peak_int8_ref};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        all->level[all->levels++] = (struct level){PEAK_FP32, "AVX2", peak_fp32_avx2};
        all->level[all->levels++] = (struct level){PEAK_INT8, "AVX2", peak_int8_avx2};
    }
    if (__builtin_cpu_supports("avx512f"))
        all->level[all->levels++] = (struct level){PEAK_FP32, "AVX-512", peak_fp32_avx512};
    if (__builtin_cpu_supports("avx512vnni"))
        all->level[all->levels++] = (struct level){PEAK_INT8, "AVX-512 VNNI", peak_int8_avx512vnni};
    if (__builtin_cpu_supports("avx512bf16"))
        all->level[all->levels++] = (struct level){PEAK_BF16, "AVX-512 BF16", peak_bf16_avx512bf16};
#endif
}

/* Levels take turns, so that a disturbance of the machine does not affect one kind alone. */
static void measure_multiply_adds(struct measurement *all, int worker)
{
    float sink = 0.0f;

    for (int pass = 0; pass < all->passes; pass++)
        for (int level = 0; level < all->levels; level++) {
            struct span *span = &all->span[level][pass][worker];
            pthread_barrier_wait(&all->barrier);
            span->start = clock_seconds();
            span->amount = (double)all->level[level].run(ROUNDS, &sink);
            span->end = clock_seconds();
        }
}

static bool measure_reading(struct measurement *all, enum place place, int worker)
{
    const struct reading *reading = &all->reading[place];
    const size_t bytes = (size_t)reading->bytes;
    const int64_t count = reading->bytes / (int64_t)sizeof(uint64_t) / reading->slices;
    uint64_t *words = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    volatile uint64_t sink;

    if (words == MAP_FAILED)
        return false;
    madvise(words, bytes, MADV_HUGEPAGE);
    memset(words, 1, bytes); /* otherwise every page would be the same page of zeros */
    for (int pass = 0; pass < all->passes; pass++) {
        struct span *span = &all->span[all->levels + (int)place][pass][worker];
        pthread_barrier_wait(&all->barrier);
        span->start = clock_seconds();
        for (int turn = 0; turn < reading->turns; turn++)
            sink = peak_read(words + pass % reading->slices * count, count);
        (void)sink;
        span->end = clock_seconds();
        span->amount = (double)(count * (int64_t)sizeof(*words)) * reading->turns;
    }
    munmap(words, bytes);
    return true;
}

static int work(int worker, void *context)
{
    struct measurement *all = context;
    cpu_set_t allowed;

    if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0)
        pin_to(&allowed, worker, 1);
    measure_multiply_adds(all, worker);
    for (int place = 0; place < PLACES; place++)
        if (all->reading[place].bytes > 0 && !measure_reading(all, (enum place)place, worker))
            return EXIT_RUNTIME;
    return EXIT_OK;
}

/* The work of one pass per second. */
static double rate(const struct measurement *all, int what, int pass)
{
    const struct span *span = all->span[what][pass];
    double start = span[0].start, end = span[0].end, amount = 0.0;
    for (int worker = 0; worker < all->workers; worker++) {
        amount += span[worker].amount;
        start = fmin(start, span[worker].start);
        end = fmax(end, span[worker].end);
    }
    return end > start ? amount / (end - start) : 0.0;
}

/* In billions per second. */
static void summarise(const struct measurement *all, int what, double *median, double *best)
{
    double rates[PASSES];
    for (int pass = 0; pass < all->passes; pass++)
        rates[pass] = rate(all, what, pass) * 1e-9;
    *median = median_of(rates, (size_t)all->passes);
    *best = rates[all->passes - 1];
}

/*
 * Memory: much more than all last-level caches hold, slice after slice, so that the other slices have evicted the first
 * one when it is read again. Cache: half of what they hold, again and again.
 */
static void prepare_reading(struct measurement *all, unsigned what)
{
    const int64_t cache = machine_last_level_cache();
    int64_t bytes = 4 * cache;

    if (bytes < (int64_t)256 << 20)
        bytes = (int64_t)256 << 20;
    if (bytes > machine_memory() / 4)
        bytes = machine_memory() / 4;
    if (what & PEAK_MEMORY)
        all->reading[MEMORY] = (struct reading){bytes / all->workers, 8, 1};
    if (what & PEAK_CACHE)
        all->reading[CACHE] = (struct reading){cache / 2 / all->workers, 1, 4};
}

static void prepare(struct measurement *all, int workers, unsigned what)
{
    pthread_barrierattr_t attributes;

    all->workers = workers;
    all->passes = what & PEAK_BRIEF ? BRIEF_PASSES : PASSES;
    find_levels(all);
    prepare_reading(all, what);
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&all->barrier, &attributes, (unsigned)workers);
    pthread_barrierattr_destroy(&attributes);
}

static void collect(const struct measurement *all, struct peak *peak)
{
    struct peak_reading *read[PLACES] = {&peak->memory, &peak->cache};

    *peak = (struct peak){.workers = all->workers};
    for (int place = 0; place < PLACES; place++)
        summarise(all, all->levels + place, &read[place]->gigabytes, &read[place]->best_gigabytes);
    for (int level = 0; level < all->levels; level++) {
        struct peak_rate *rate = &peak->rate[all->level[level].kind], found = {.level = all->level[level].name};
        summarise(all, level, &found.gflops, &found.best_gflops);
        if (found.best_gflops > rate->best_gflops)
            *rate = found;
    }
}

bool peak_measure(int workers, unsigned what, struct peak *peak)
{
    struct measurement *all = ranks_shared_memory(sizeof(*all));
    struct ranks_outcome outcome;
    bool ok;

    if (all == NULL)
        return false;
    if (workers > cpu_count())
        workers = cpu_count();
    if (workers > MMARN_MAX_RANKS)
        workers = MMARN_MAX_RANKS;
    prepare(all, workers, what);
    ok = ranks_run(workers, work, all, &outcome);
    if (ok && outcome.rank >= 0) {
        errno = outcome.signal != 0 ? EINTR : ENOMEM;
        ok = false;
    }
    collect(all, peak);
    ranks_shared_free(all, sizeof(*all));
    return ok;
}
