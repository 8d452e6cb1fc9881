/*
 * peak.c - runs the peak kernels in several processes at once. Passes are aligned by a barrier. A pass counts with what
 * all processes did from the start of the first to the end of the last: were their rates added up instead, two that
 * had to take turns would each show what it could do alone. The median pass is the ceiling for times that are medians:
 * what disturbs the machine disturbs both alike. The best one tells how quiet it was.
 */
#include "peak.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cpu.h"
#include "clock.h"
#include "exit_status.h"
#include "machine.h"
#include "mmarn/mmarn.h"
#include "ranks.h"

enum { PASSES = 48, BRIEF_PASSES = 3, MAX_LEVELS = 7, STREAMS = 4, SLICES = 8, LINE_WORDS = 8 };

/* A few million cycles: long against the barrier, short against a scheduler's time slice. */
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

struct measurement {
    pthread_barrier_t barrier;
    int workers, levels, passes;
    bool reading;
    struct level level[MAX_LEVELS];
    int64_t bytes; /* of each worker's memory; a pass reads one slice of it */
    struct span span[MAX_LEVELS + 1][PASSES][MMARN_MAX_RANKS]; /* reading comes after the levels */
};

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

/* Levels take turns, so that a disturbance of the machine does not hit one kind alone. */
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

/* Reads `count` words in STREAMS places at once, which is what hides the latency of memory best. */
static uint64_t read_all(const uint64_t *words, int64_t count)
{
    const int64_t part = count / STREAMS;
    uint64_t sum[STREAMS] = {0}, total = 0;

    for (int64_t i = 0; i + LINE_WORDS <= part; i += LINE_WORDS)
        for (int stream = 0; stream < STREAMS; stream++)
            for (int word = 0; word < LINE_WORDS; word++)
                sum[stream] += words[stream * part + i + word];
    for (int stream = 0; stream < STREAMS; stream++)
        total += sum[stream];
    return total;
}

static bool measure_reading(struct measurement *all, int worker)
{
    uint64_t *words = mmap(NULL, (size_t)all->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    volatile uint64_t sink;

    if (words == MAP_FAILED)
        return false;
    madvise(words, (size_t)all->bytes, MADV_HUGEPAGE);
    memset(words, 1, (size_t)all->bytes); /* or every page would be the same page of zeros */
    for (int pass = 0; pass < all->passes; pass++) {
        /* Slice after slice: when the first one is read again, the others have driven it out of the caches. */
        const int64_t count = all->bytes / (int64_t)sizeof(*words) / SLICES;
        struct span *span = &all->span[all->levels][pass][worker];
        pthread_barrier_wait(&all->barrier);
        span->start = clock_seconds();
        sink = read_all(words + pass % SLICES * count, count);
        (void)sink;
        span->end = clock_seconds();
        span->amount = (double)(count * (int64_t)sizeof(*words));
    }
    munmap(words, (size_t)all->bytes);
    return true;
}

/* A processor of its own: a busy scheduler may leave two workers on the same one for the whole measurement. */
static void pin(int worker)
{
    cpu_set_t allowed, own;
    int cpu = 0;

    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
        return;
    for (int left = worker; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET((size_t)cpu, &allowed) && left-- == 0)
            break;
    if (cpu == CPU_SETSIZE)
        return;
    CPU_ZERO(&own);
    CPU_SET((size_t)cpu, &own);
    sched_setaffinity(0, sizeof(own), &own);
}

static int work(int worker, void *context)
{
    struct measurement *all = context;

    pin(worker);
    measure_multiply_adds(all, worker);
    return !all->reading || measure_reading(all, worker) ? EXIT_OK : EXIT_RUNTIME;
}

/* What one pass did, per second. */
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

static int compare_rates(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* In billions a second. */
static void summarise(const struct measurement *all, int what, double *median, double *best)
{
    double rates[PASSES];
    for (int pass = 0; pass < all->passes; pass++)
        rates[pass] = rate(all, what, pass) * 1e-9;
    qsort(rates, (size_t)all->passes, sizeof(rates[0]), compare_rates);
    *median = rates[all->passes / 2];
    *best = rates[all->passes - 1];
}

static void prepare(struct measurement *all, int workers, bool brief)
{
    pthread_barrierattr_t attributes;
    int64_t bytes = 4 * machine_last_level_cache();

    if (bytes < (int64_t)256 << 20)
        bytes = (int64_t)256 << 20;
    if (bytes > machine_memory() / 4)
        bytes = machine_memory() / 4;
    all->workers = workers;
    all->passes = brief ? BRIEF_PASSES : PASSES;
    all->bytes = bytes / workers;
    find_levels(all);
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&all->barrier, &attributes, (unsigned)workers);
    pthread_barrierattr_destroy(&attributes);
}

bool peak_measure(int workers, bool reading, bool brief, struct peak *peak)
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
    prepare(all, workers, brief);
    all->reading = reading;
    ok = ranks_run(workers, work, all, &outcome);
    if (ok && outcome.rank >= 0) {
        errno = outcome.signal != 0 ? EINTR : ENOMEM;
        ok = false;
    }
    *peak = (struct peak){.workers = workers};
    summarise(all, all->levels, &peak->gigabytes, &peak->best_gigabytes);
    for (int level = 0; level < all->levels; level++) {
        struct peak_rate *rate = &peak->rate[all->level[level].kind], found = {.level = all->level[level].name};
        summarise(all, level, &found.gflops, &found.best_gflops);
        if (found.best_gflops > rate->best_gflops)
            *rate = found;
    }
    ranks_shared_free(all, sizeof(*all));
    return ok;
}
