/* SPDX-License-Identifier: MIT */
/*
 * ranks.c - fork, wait and signals. The parent blocks the signals that it handles and takes them one at a time with
 * sigtimedwait, so there are no handlers, and no races between a death and the wait for it.
 */
#include "ranks.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mmarn/mmarn.h"

/* How long ranks may take to end after SIGTERM, before they get SIGKILL. */
enum { GRACE_SECONDS = 5 };

/* The signal settings that this command inherited; the ranks get them in turn. */
struct given {
    sigset_t blocked;
    struct sigaction on_child;
};

struct group {
    pid_t pids[MMARN_MAX_RANKS]; /* 0: not running */
    int count, running;
    bool ending;
    struct timespec deadline; /* when ending */
    struct ranks_outcome *outcome;
};

static void signal_all(const struct group *group, int signal)
{
    for (int rank = 0; rank < group->count; rank++)
        if (group->pids[rank] > 0)
            kill(group->pids[rank], signal);
}

static void end_all(struct group *group)
{
    if (group->ending)
        return;
    group->ending = true;
    clock_gettime(CLOCK_MONOTONIC, &group->deadline);
    group->deadline.tv_sec += GRACE_SECONDS;
    signal_all(group, SIGTERM);
}

static int rank_of(const struct group *group, pid_t pid)
{
    for (int rank = 0; rank < group->count; rank++)
        if (group->pids[rank] == pid)
            return rank;
    return -1;
}

/* Collects every rank that has ended. */
static void reap(struct group *group)
{
    int status;
    pid_t pid;
    while (group->running > 0 && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
        const int rank = rank_of(group, pid);
        if (rank < 0)
            continue;
        group->pids[rank] = 0;
        group->running--;
        if (status != 0 && group->outcome->rank < 0) {
            group->outcome->rank = rank;
            group->outcome->status = status;
            end_all(group);
        }
    }
}

/* Waits for the next signal, or for the deadline of ranks that have been told to end. */
static int next_signal(const struct group *group, const sigset_t *signals, siginfo_t *info)
{
    struct timespec now, left = {0, 0};
    if (!group->ending)
        return sigwaitinfo(signals, info);
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec < group->deadline.tv_sec)
        left.tv_sec = group->deadline.tv_sec - now.tv_sec;
    return sigtimedwait(signals, info, &left);
}

static void wait_all(struct group *group, const sigset_t *signals)
{
    for (reap(group); group->running > 0; reap(group)) {
        siginfo_t info;
        const int signal = next_signal(group, signals, &info);
        if (signal < 0 && errno == EAGAIN) {
            signal_all(group, SIGKILL);
            group->deadline.tv_sec += GRACE_SECONDS;
        } else if (signal > 0 && signal != SIGCHLD) {
            group->outcome->signal = signal;
            /* A signal from a terminal (SI_KERNEL) has already reached the ranks, because they are in its foreground
               too. */
            if (info.si_code != SI_KERNEL)
                signal_all(group, signal);
        }
    }
}

/* The signal that ends a rank whose parent has died: SIGTERM, unless the rank ignores or blocks it. */
static int death_signal(const struct given *given)
{
    struct sigaction action;
    sigaction(SIGTERM, NULL, &action);
    return action.sa_handler == SIG_IGN || sigismember(&given->blocked, SIGTERM) ? SIGKILL : SIGTERM;
}

static int child(int rank, ranks_fn *fn, void *context, pid_t parent, const struct given *given)
{
    int status;
    prctl(PR_SET_PDEATHSIG, death_signal(given));
    if (getppid() != parent)
        return 128 + SIGTERM;
    sigaction(SIGCHLD, &given->on_child, NULL);
    sigprocmask(SIG_SETMASK, &given->blocked, NULL);
    status = fn(rank, context);
    fflush(NULL);
    return status;
}

bool ranks_run(int count, ranks_fn *fn, void *context, struct ranks_outcome *outcome)
{
    struct group group = {.count = count, .outcome = outcome};
    const struct sigaction usual = {.sa_handler = SIG_DFL};
    const pid_t parent = getpid();
    struct given given;
    sigset_t signals;
    int error = 0;

    *outcome = (struct ranks_outcome){.rank = -1};
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, &given.blocked);
    /* A process that ignores SIGCHLD is not told of its children: they are gone before it can wait for them. */
    sigaction(SIGCHLD, &usual, &given.on_child);
    fflush(NULL);
    for (int rank = 0; rank < count && error == 0; rank++) {
        const pid_t pid = fork();
        if (pid == 0)
            _exit(child(rank, fn, context, parent, &given));
        if (pid < 0) {
            error = errno;
            end_all(&group);
        } else {
            group.pids[rank] = pid;
            group.running++;
        }
    }
    wait_all(&group, &signals);
    sigaction(SIGCHLD, &given.on_child, NULL);
    sigprocmask(SIG_SETMASK, &given.blocked, NULL);
    errno = error;
    return error == 0;
}

int ranks_exit_status(const struct ranks_outcome *outcome)
{
    if (outcome->rank < 0)
        return 0;
    if (WIFSIGNALED(outcome->status))
        return 128 + WTERMSIG(outcome->status);
    return WEXITSTATUS(outcome->status);
}

void ranks_describe(const struct ranks_outcome *outcome, char *buffer, size_t size)
{
    if (WIFSIGNALED(outcome->status))
        snprintf(buffer, size, "rank %d was ended by signal %d (%s)", outcome->rank, WTERMSIG(outcome->status),
                 strsignal(WTERMSIG(outcome->status)));
    else
        snprintf(buffer, size, "rank %d ended with exit status %d", outcome->rank, WEXITSTATUS(outcome->status));
}

void *ranks_shared_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void ranks_shared_free(void *memory, size_t size)
{
    if (memory != NULL)
        munmap(memory, size);
}
