/* SPDX-License-Identifier: MIT */
/*
 * ceilings.c - the most that this machine can do, with as many workers as the argument says, as one line of JSON.
 * measure/peak.h measures multiply-adds of fp32, bf16 and int8, and reading from memory and from the last-level cache.
 * This file measures how long a message takes from one processor to another, through a cache line and through a futex,
 * or to another thread of the same processor; and what each of many lines costs that one processor writes and another
 * reads, again and again.
 */
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
#include "measure/clock.h"
#include "measure/json.h"
#include "measure/machine.h"
#include "measure/median.h"
#include "measure/peak.h"
#include "measure/pin.h"

enum { LINE_TURNS = 20000, FUTEX_TURNS = 2000, MESSAGE_PASSES = 7 };
/* Twelve pieces of 16 KiB, as a ring of small tiles: all of them stay in a second-level cache. */
enum { PIECE_WORDS = 2048, PIECES = 12, PIECE_TURNS = 4000, LINE_WORDS = 8 };

/* The program's mask; a thread inherits the mask of the thread that made it. */
static cpu_set_t allowed;

/* ------------------------------------------------------------------------------- messages between two processors */

/* How a thread waits for the other one: it spins, it sleeps, or, on the same processor, it lets the other run. */
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
    pin_to(&allowed, messages->waiting == YIELD ? 0 : 1, 1);
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

    pin_to(&allowed, 0, 1);
    if (pthread_create(&other, NULL, echo, &messages) != 0)
        return 0.0;
    for (int pass = 0; pass < MESSAGE_PASSES; pass++) {
        const double start = clock_seconds();
        for (int turn = 1; turn <= messages.turns; turn++) {
            const unsigned value = (unsigned)(pass * messages.turns + turn);
            send(&messages, &messages.there, value);
            receive(&messages, &messages.back, value);
        }
        const double each = (clock_seconds() - start) / messages.turns / 2;
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

/* The exchange waits until everything written has arrived. */
static void end_turn(struct handover *handover, unsigned turn)
{
    atomic_exchange(&handover->turn, turn + 1);
}

static void *read_pieces(void *context)
{
    struct handover *handover = context;
    volatile uint64_t sink;

    pin_to(&allowed, 1, 1);
    for (unsigned i = 0; i < MESSAGE_PASSES * PIECE_TURNS; i++) {
        await_turn(handover, 2 * i + 1);
        const double start = clock_seconds();
        sink = peak_read(handover->words[i % PIECES], PIECE_WORDS);
        (void)sink;
        handover->read[i / PIECE_TURNS] += clock_seconds() - start;
        end_turn(handover, 2 * i + 1);
    }
    return NULL;
}

static void write_pieces(struct handover *handover)
{
    for (unsigned i = 0; i < MESSAGE_PASSES * PIECE_TURNS; i++) {
        await_turn(handover, 2 * i);
        const double start = clock_seconds();
        for (unsigned word = 0; word < PIECE_WORDS; word++)
            handover->words[i % PIECES][word] = i + word;
        end_turn(handover, 2 * i);
        handover->written[i / PIECE_TURNS] += clock_seconds() - start;
    }
}

/*
 * Nanoseconds for each line, in the median pass: in the best pass lines may have been in other caches than they should.
 */
static double middle(double seconds[MESSAGE_PASSES])
{
    return median_of(seconds, MESSAGE_PASSES) / PIECE_TURNS * LINE_WORDS / PIECE_WORDS * 1e9;
}

/* Measures reading a line that a peer has written, and writing a line again that a peer has read. */
static bool hand_over(double *read, double *written)
{
    struct handover *handover = aligned_alloc(128, sizeof(*handover));
    pthread_t other;

    if (handover == NULL)
        return false;
    memset(handover, 0, sizeof(*handover));
    pin_to(&allowed, 0, 1);
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

/* two: there are two processors to send messages between. */
static void show(const struct peak *peak, bool two, double handover, double refill)
{
    struct json json = {stdout, false};

    json_begin_object(&json, NULL);
    json_whole(&json, "workers", peak->workers);
    json_string(&json, "level", peak->rate[PEAK_FP32].level);
    json_number(&json, "f32_gflops", peak->rate[PEAK_FP32].best_gflops);
    json_number(&json, "bf16_gflops", peak->rate[PEAK_BF16].best_gflops);
    json_number(&json, "int8_gops", peak->rate[PEAK_INT8].best_gflops);
    json_number(&json, "memory_gbs", peak->memory.best_gigabytes);
    json_number(&json, "cache_gbs", peak->cache.best_gigabytes);
    json_whole(&json, "cache_bytes", machine_last_level_cache());
    json_whole(&json, "private_bytes", sysconf(_SC_LEVEL2_CACHE_SIZE));
    json_number(&json, "line_ns", two ? message(LOOK) : 0.0);
    json_number(&json, "futex_ns", two ? message(SLEEP) : 0.0);
    json_number(&json, "yield_ns", message(YIELD));
    json_number(&json, "handover_ns", handover);
    json_number(&json, "refill_ns", refill);
    json_end_object(&json);
    putchar('\n');
}

int main(int argc, char **argv)
{
    const int wanted = argc > 1 ? atoi(argv[1]) : cpu_count();
    const bool two = cpu_count() > 1; /* before any thread is bound */
    double handover = 0.0, refill = 0.0;
    struct peak peak;

    sched_getaffinity(0, sizeof(allowed), &allowed);
    if (!peak_measure(wanted < 1 ? cpu_count() : wanted, PEAK_MEMORY | PEAK_CACHE, &peak) ||
        (two && !hand_over(&handover, &refill))) {
        perror("ceilings");
        return 1;
    }
    show(&peak, two, handover, refill);
    return 0;
}
