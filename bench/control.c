/* SPDX-License-Identifier: MIT */
/*
 * control.c - see control.h. The barrier spins briefly, then yields, then sleeps for short times: ranks may outnumber
 * the processors, and may wait for a rank that is still making its data.
 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "measure/pin.h"

enum { SPINS = 2000, YIELDS = 20000 };

static int number(const char *name, const char *fallback)
{
    const char *text = getenv(name);
    if (text == NULL)
        text = getenv(fallback);
    return text == NULL ? -1 : atoi(text);
}

/* BENCH_PIN: binds the rank to processors of its own, chosen from those of the coordinator. */
static void pin(const struct member *member)
{
    cpu_set_t allowed;

    if (getenv("BENCH_PIN") != NULL && sched_getaffinity(0, sizeof(allowed), &allowed) == 0)
        pin_to(&allowed, member->rank * member->threads, member->threads);
}

bool control_join(struct member *member)
{
    const char *path = getenv("BENCH_CONTROL");
    const int file = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);

    member->rank = number("BENCH_RANK", "OMPI_COMM_WORLD_RANK");
    member->world = number("BENCH_WORLD", "OMPI_COMM_WORLD_SIZE");
    member->threads = number("BENCH_THREADS", "OMP_NUM_THREADS");
    if (file < 0 || member->rank < 0 || member->world < 1 || member->world > CONTROL_RANKS || member->threads < 1) {
        fputs("this program is started by bench/run.py\n", stderr);
        return false;
    }
    member->control = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (member->control == MAP_FAILED) {
        perror("the coordinator's memory cannot be mapped");
        return false;
    }
    pin(member);
    return true;
}

static void pass_on(struct control *control)
{
    atomic_fetch_add_explicit(&control->sequence, 1, memory_order_release); /* pairs with the load in control_next */
    syscall(SYS_futex, &control->sequence, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

bool control_next(struct member *member, char line[CONTROL_LINE])
{
    static unsigned seen;
    struct control *control = member->control;

    if (member->rank == 0) {
        if (fgets(control->line, CONTROL_LINE, stdin) == NULL)
            strcpy(control->line, "end");
        control->line[strcspn(control->line, "\n")] = '\0';
        pass_on(control);
    } else {
        while (atomic_load_explicit(&control->sequence, memory_order_acquire) == seen) /* pairs with pass_on */
            syscall(SYS_futex, &control->sequence, FUTEX_WAIT, seen, NULL, NULL, 0);
    }
    seen++;
    strcpy(line, control->line);
    control->why[member->rank][0] = '\0';
    memset(control->parts[member->rank], 0, sizeof(control->parts[member->rank]));
    control_barrier(member); /* all ranks have read the line */
    return strcmp(line, "end") != 0;
}

static void relax(long turn)
{
    const struct timespec nap = {0, 200000};
    if (turn < SPINS)
#if defined(__x86_64__)
        __builtin_ia32_pause();
#else
        atomic_signal_fence(memory_order_seq_cst);
#endif
    else if (turn < SPINS + YIELDS)
        sched_yield();
    else
        nanosleep(&nap, NULL);
}

void control_barrier(struct member *member)
{
    struct control *control = member->control;
    const unsigned generation = atomic_load_explicit(&control->generation, memory_order_relaxed);

    if (atomic_fetch_add_explicit(&control->arrived, 1, memory_order_acq_rel) + 1 == (unsigned)member->world) {
        atomic_store_explicit(&control->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&control->generation, generation + 1,
                              memory_order_release); /* pairs with the load below */
        return;
    }
    for (long turn = 0; atomic_load_explicit(&control->generation, memory_order_acquire) == generation; turn++)
        relax(turn);
}

bool control_fail(struct member *member, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(member->control->why[member->rank], CONTROL_WHY, format, arguments);
    va_end(arguments);
    return false;
}

int control_failed(struct member *member)
{
    int failed = -1;
    control_barrier(member);
    for (int rank = 0; rank < member->world && failed < 0; rank++)
        if (member->control->why[rank][0] != '\0')
            failed = rank;
    control_barrier(member); /* no rank clears its entry before all have looked */
    return failed;
}
