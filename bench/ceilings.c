/*
 * ceilings.c - what this machine can do at best, with as many workers as the argument says, as one line of JSON:
 * multiply-adds of fp32, bf16 and int8 and reading from memory, as measure/peak.h measures them; here, reading from the
 * last-level cache, how long a message takes from one processor to another, through a cache line and through a futex,
 * or to another thread of the same processor, and what each of many lines costs that one processor writes and another
 * reads, over and over.
 */
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cpu.h"
#include "control.h"
#include "measure/machine.h"
#include "measure/peak.h"

enum { PASSES = 96, MAX_WORKERS = 64, LINE_WORDS = 8, STREAMS = 4 };
enum { LINE_TURNS = 20000, FUTEX_TURNS = 2000, MESSAGE_PASSES = 7 };
/* Twelve pieces of 16 KiB, as a ring of small tiles: all of them stay in a second-level cache. */
enum { PIECE_WORDS = 2048, PIECES = 12, PIECE_TURNS = 4000 };

struct measurement {
    int64_t bytes; /* of each worker's memory, which it reads in every pass */
    int workers;
    pthread_barrier_t barrier;
    double start[MAX_WORKERS], end[MAX_WORKERS], amount[MAX_WORKERS], best;
};

struct worker {
    struct measurement *all;
    int number;
    pthread_t thread;
};

/* Of the program; a thread begins with the mask of the one that made it. */
static cpu_set_t allowed;

static void pin(int worker)
{
    cpu_set_t own;
    int left = worker;

    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && left-- == 0) {
            CPU_ZERO(&own);
            CPU_SET(cpu, &own);
            pthread_setaffinity_np(pthread_self(), sizeof(own), &own);
            return;
        }
}

static uint64_t read_all(const uint64_t *words, int64_t count)
{
    const int64_t part = count / STREAMS;
    uint64_t sum[STREAMS] = {0};

    for (int64_t i = 0; i + LINE_WORDS <= part; i += LINE_WORDS)
        for (int stream = 0; stream < STREAMS; stream++)
            for (int word = 0; word < LINE_WORDS; word++)
                sum[stream] += words[stream * part + i + word];
    return sum[0] + sum[1] + sum[2] + sum[3];
}

/* The best pass counts, with what all did from the first one's start to the last one's end. */
static void note_pass(struct measurement *all)
{
    double start = all->start[0], end = all->end[0], amount = 0.0;
    for (int i = 0; i < all->workers; i++) {
        start = all->start[i] < start ? all->start[i] : start;
        end = all->end[i] > end ? all->end[i] : end;
        amount += all->amount[i];
    }
    if (amount / (end - start) > all->best)
        all->best = amount / (end - start);
}

static void *work(void *context)
{
    const struct worker *worker = context;
    struct measurement *all = worker->all;
    uint64_t *words = malloc((size_t)all->bytes);
    volatile uint64_t sink = 0;

    pin(worker->number);
    if (words != NULL)
        memset(words, 1, (size_t)all->bytes);
    for (int pass = 0; pass < PASSES; pass++) {
        pthread_barrier_wait(&all->barrier);
        all->start[worker->number] = control_clock();
        if (words != NULL) {
            for (int turn = 0; turn < 4; turn++)
                sink += read_all(words, all->bytes / (int64_t)sizeof(*words));
            all->amount[worker->number] = 4.0 * (double)all->bytes;
        }
        all->end[worker->number] = control_clock();
        if (pthread_barrier_wait(&all->barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            note_pass(all);
    }
    free(words);
    return NULL;
}

static double measure_reading(int64_t bytes, int workers)
{
    struct measurement all = {.bytes = bytes, .workers = workers};
    struct worker worker[MAX_WORKERS];

    pthread_barrier_init(&all.barrier, NULL, (unsigned)workers);
    for (int i = 0; i < workers; i++) {
        worker[i] = (struct worker){.all = &all, .number = i};
        if (pthread_create(&worker[i].thread, NULL, work, &worker[i]) != 0) {
            perror("ceilings");
            exit(1);
        }
    }
    for (int i = 0; i < workers; i++)
        pthread_join(worker[i].thread, NULL);
    pthread_barrier_destroy(&all.barrier);
    return all.best;
}

/* ------------------------------------------------------------------------------- messages between two processors */

/* How the other one is waited for: by looking, by sleeping, or, on the same processor, by letting it run. */
enum waiting { LOOK, SLEEP, YIELD };

struct messages {
    _Alignas(128) atomic_uint there;
    _Alignas(128) atomic_uint back;
    enum waiting waiting;
    int turns;
};

static void send(struct messages *messages, atomic_uint *line, unsigned value)
{
    atomic_store_explicit(line, value, memory_order_release); /* pairs with the load in receive */
    if (messages->waiting == SLEEP)
        syscall(SYS_futex, line, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void receive(struct messages *messages, atomic_uint *line, unsigned value)
{
    unsigned found;
    while ((found = atomic_load_explicit(line, memory_order_acquire)) != value)
        if (messages->waiting == SLEEP)
            syscall(SYS_futex, line, FUTEX_WAIT, found, NULL, NULL, 0);
        else if (messages->waiting == YIELD)
            sched_yield();
}

static void *echo(void *context)
{
    struct messages *messages = context;
    pin(messages->waiting == YIELD ? 0 : 1);
    for (int pass = 0; pass < MESSAGE_PASSES; pass++)
        for (int turn = 1; turn <= messages->turns; turn++) {
            const unsigned value = (unsigned)(pass * messages->turns + turn);
            receive(messages, &messages->there, value);
            send(messages, &messages->back, value);
        }
    return NULL;
}

/* Nanoseconds one way: half a round trip, in the best pass. */
static double message(enum waiting waiting)
{
    struct messages messages = {.waiting = waiting, .turns = waiting == LOOK ? LINE_TURNS : FUTEX_TURNS};
    pthread_t other;
    double best = 1e9;

    pin(0);
    if (pthread_create(&other, NULL, echo, &messages) != 0)
        return 0.0;
    for (int pass = 0; pass < MESSAGE_PASSES; pass++) {
        const double start = control_clock();
        for (int turn = 1; turn <= messages.turns; turn++) {
            const unsigned value = (unsigned)(pass * messages.turns + turn);
            send(&messages, &messages.there, value);
            receive(&messages, &messages.back, value);
        }
        const double each = (control_clock() - start) / messages.turns / 2;
        best = each < best ? each : best;
    }
    pthread_join(other, NULL);
    return best * 1e9;
}

/* ------------------------------------------------------------------------------------ lines handed over, many at once
 */

struct handover {
    _Alignas(128) atomic_uint turn; /* even: to write, odd: to read */
    _Alignas(128) uint64_t words[PIECES][PIECE_WORDS];
    double written[MESSAGE_PASSES], read[MESSAGE_PASSES]; /* seconds */
};

static void await_turn(struct handover *handover, unsigned turn)
{
    while (atomic_load_explicit(&handover->turn, memory_order_acquire) != turn)
        ; /* pairs with the exchange in end_turn */
}

/* The exchange waits until what was written has arrived. */
static void end_turn(struct handover *handover, unsigned turn)
{
    atomic_exchange(&handover->turn, turn + 1);
}

static void *read_pieces(void *context)
{
    struct handover *handover = context;
    volatile uint64_t sink = 0;

    pin(1);
    for (unsigned i = 0; i < MESSAGE_PASSES * PIECE_TURNS; i++) {
        await_turn(handover, 2 * i + 1);
        const double start = control_clock();
        sink += read_all(handover->words[i % PIECES], PIECE_WORDS);
        handover->read[i / PIECE_TURNS] += control_clock() - start;
        end_turn(handover, 2 * i + 1);
    }
    return NULL;
}

static void write_pieces(struct handover *handover)
{
    for (unsigned i = 0; i < MESSAGE_PASSES * PIECE_TURNS; i++) {
        await_turn(handover, 2 * i);
        const double start = control_clock();
        for (unsigned word = 0; word < PIECE_WORDS; word++)
            handover->words[i % PIECES][word] = i + word;
        end_turn(handover, 2 * i);
        handover->written[i / PIECE_TURNS] += control_clock() - start;
    }
}

static int ascending(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Nanoseconds for each line, in the middle pass: the best may be one whose lines were no longer where they belong. */
static double middle(double seconds[MESSAGE_PASSES])
{
    qsort(seconds, MESSAGE_PASSES, sizeof(*seconds), ascending);
    return seconds[MESSAGE_PASSES / 2] / PIECE_TURNS * LINE_WORDS / PIECE_WORDS * 1e9;
}

/* Of reading a line that a peer has written, and of writing one again that a peer has read. */
static bool hand_over(double *read, double *written)
{
    struct handover *handover = aligned_alloc(128, sizeof(*handover));
    pthread_t other;

    if (handover == NULL)
        return false;
    memset(handover, 0, sizeof(*handover));
    pin(0);
    const bool started = pthread_create(&other, NULL, read_pieces, handover) == 0;
    if (started) {
        write_pieces(handover);
        pthread_join(other, NULL);
        *read = middle(handover->read);
        *written = middle(handover->written);
    }
    free(handover);
    return started;
}

int main(int argc, char **argv)
{
    const int wanted = argc > 1 ? atoi(argv[1]) : cpu_count();
    const int workers = wanted < 1 || wanted > cpu_count() ? cpu_count() : wanted;
    const int64_t cache = machine_last_level_cache();
    const bool two = cpu_count() > 1;
    double handover = 0.0, refill = 0.0;
    struct peak peak;

    sched_getaffinity(0, sizeof(allowed), &allowed);
    if (workers > MAX_WORKERS || !peak_measure(workers, true, false, &peak) ||
        (two && !hand_over(&handover, &refill))) {
        perror("ceilings");
        return 1;
    }
    printf("{\"workers\": %d, \"level\": \"%s\", \"f32_gflops\": %.6g, \"bf16_gflops\": %.6g, \"int8_gops\": %.6g, ",
           workers, peak.rate[PEAK_FP32].level, peak.rate[PEAK_FP32].best_gflops, peak.rate[PEAK_BF16].best_gflops,
           peak.rate[PEAK_INT8].best_gflops);
    printf("\"memory_gbs\": %.6g, \"cache_gbs\": %.6g, \"cache_bytes\": %lld, \"private_bytes\": %ld, ",
           peak.best_gigabytes, cache > 0 ? measure_reading(cache / 2 / workers, workers) * 1e-9 : 0.0,
           (long long)cache, sysconf(_SC_LEVEL2_CACHE_SIZE));
    printf("\"line_ns\": %.6g, \"futex_ns\": %.6g, \"yield_ns\": %.6g, ", two ? message(LOOK) : 0.0,
           two ? message(SLEEP) : 0.0, message(YIELD));
    printf("\"handover_ns\": %.6g, \"refill_ns\": %.6g}\n", handover, refill);
    return 0;
}
