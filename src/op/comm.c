/* SPDX-License-Identifier: MIT */
/* comm.c - joins and leaves a group: checks the configuration, picks the transport, sets the number of threads. */
#include "op/comm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "base/threads.h"
#include "coll/transports.h"
#include "op/check_pieces.h"
#include "op/growth.h"

enum { DEFAULT_TIMEOUT_MS = 300000 };

static bool check_name(const char *name, struct error *error)
{
    size_t length = strnlen(name, MMARN_MAX_NAME + 1);
    if (length == 0 || length > MMARN_MAX_NAME)
        return error_fail(error, MMARN_ERR_ARGUMENT, "name has %s%zu characters; it must have 1 to %d",
                          length ? "at least " : "", length, MMARN_MAX_NAME);
    for (size_t i = 0; i < length; i++)
        if (name[i] < 0x20 || name[i] > 0x7e)
            return error_fail(error, MMARN_ERR_ARGUMENT,
                              "name's character %zu is 0x%02x; only printable ASCII is allowed", i,
                              (unsigned char)name[i]);
    return true;
}

static bool check_config(const mmarn_id *id, const mmarn_comm_config *config, struct error *error)
{
    if (!check_rank(config->rank, config->world_size, error))
        return false;
    if (config->threads < 0 || config->threads > MMARN_MAX_THREADS)
        return error_fail(error, MMARN_ERR_ARGUMENT,
                          "threads is %d; a rank has 1 to %d, or 0 for its share of the processors", config->threads,
                          MMARN_MAX_THREADS);
    if (!check_flags(config->flags, MMARN_QUEUE_CALLS, error))
        return false;
    if (!id && config->world_size > 1)
        return error_fail(error, MMARN_ERR_NULL, "id is NULL but world_size is %d; only a group of one needs none",
                          config->world_size);
    return !config->name || check_name(config->name, error);
}

/* A share of the processors, so that ranks that were not placed by anyone do not crowd each other out. */
static int default_threads(int world_size)
{
    const int share = cpu_share(world_size);
    return share < threads_limit() ? share : threads_limit();
}

static bool join(const mmarn_id *id, const mmarn_comm_config *config, mmarn_comm *comm, struct error *error)
{
    struct coll_options options = {
        .id = id,
        .rank = config->rank,
        .world_size = config->world_size,
        .threads = comm->threads,
        .timeout_ms = config->timeout_ms ? config->timeout_ms : DEFAULT_TIMEOUT_MS,
        .interrupt = {config->interrupted, config->interrupted_ctx},
    };
    const struct coll_transport *transport = coll_find(config->transport, &options, error);
    return transport && transport->join(&options, &comm->coll, error);
}

static void note_level(void)
{
    static atomic_flag noted = ATOMIC_FLAG_INIT;
    if (cpu_complaint() && !atomic_flag_test_and_set(&noted))
        error_note("%s", cpu_complaint());
}

bool comm_create(const mmarn_id *id, const mmarn_comm_config *given, mmarn_comm **out, struct error *error)
{
    mmarn_comm_config taken, *config = &taken;
    if (!growth_take(&growth_comm_config, given, config, error) || !check_config(id, config, error))
        return false;
    mmarn_comm *comm = memory_alloc(1, sizeof *comm);
    if (!comm)
        return error_fail(error, MMARN_ERR_MEMORY, "no memory for a group handle");
    comm->threads = config->threads ? config->threads : default_threads(config->world_size);
    comm->creator = pthread_self();
    static atomic_ullong serials; /* only a source of numbers; no other atomic pairs with it */
    comm->serial = atomic_fetch_add_explicit(&serials, 1, memory_order_relaxed) + 1;
    comm->interrupt = (struct coll_interrupt){config->interrupted, config->interrupted_ctx};
    atomic_init(&comm->forked, false);
    if (!turn_init(&comm->turn, config->flags & MMARN_QUEUE_CALLS)) {
        memory_free(comm);
        return error_fail(error, MMARN_ERR_MEMORY, "no memory for a group's queue");
    }
    if (config->name)
        memcpy(comm->name, config->name, strlen(config->name));
    if (!join(id, config, comm, error)) {
        turn_destroy(&comm->turn);
        memory_free(comm);
        return false;
    }
    threads_hold(comm->threads, comm->coll->oversubscribed);
    note_level();
    *out = comm;
    return true;
}

void comm_destroy(mmarn_comm *comm)
{
    if (comm->scratch)
        for (int i = 0; i < comm->threads; i++)
            gemm_scratch_destroy(comm->scratch[i]);
    memory_free(comm->scratch);
    threads_drop(comm->coll->oversubscribed);
    comm->coll->transport->leave(comm->coll);
    turn_destroy(&comm->turn);
    memory_free(comm);
}

struct gemm_scratch **comm_scratch(mmarn_comm *comm, struct error *error)
{
    if (comm->scratch)
        return comm->scratch;
    struct gemm_scratch **scratch = memory_alloc((size_t)comm->threads, sizeof *scratch);
    for (int i = 0; scratch && i < comm->threads; i++) {
        scratch[i] = gemm_scratch_create();
        if (scratch[i])
            continue;
        while (i > 0)
            gemm_scratch_destroy(scratch[--i]);
        memory_free(scratch);
        scratch = NULL;
    }
    if (!scratch)
        error_fail(error, MMARN_ERR_MEMORY, "no memory for the working buffers of %d threads", comm->threads);
    return comm->scratch = scratch;
}

/* ------------------------------------------------------------------------------------------------------- calls */

/* If the caller's function says so, aborts the group, so that the calls before this one end. */
static void ask_caller(void *ctx)
{
    mmarn_comm *comm = ctx;
    if (coll_interrupted(&comm->interrupt))
        comm->coll->transport->fail(comm->coll, COLL_ABORTED);
}

static bool check_parent(const mmarn_comm *comm, struct error *error)
{
    if (!atomic_load(&comm->forked))
        return true;
    return error_fail(error, MMARN_ERR_FORKED,
                      "this group was joined by the parent process; a forked child must join one of its own");
}

bool comm_enter(mmarn_comm *comm, struct error *error)
{
    if (!check_parent(comm, error))
        return false;
    return turn_take(&comm->turn, comm->interrupt.ask ? ask_caller : NULL, comm) ||
           error_fail(error, MMARN_ERR_BUSY, "another thread of rank %d is inside a call on this group",
                      comm->coll->rank);
}

void comm_leave(mmarn_comm *comm)
{
    turn_leave(&comm->turn);
}

/* Where calls queue, a name belongs to its thread, because another thread's call may come first. */
static _Thread_local struct {
    uint64_t serial; /* of the group; 0: none */
    char name[MMARN_MAX_NAME + 1];
} thread_name;

static void set_thread_name(uint64_t serial, const char *name)
{
    thread_name.serial = name ? serial : 0;
    snprintf(thread_name.name, sizeof thread_name.name, "%s", name ? name : "");
}

const char *comm_call_name(const mmarn_comm *comm)
{
    if (comm->turn.queued)
        return thread_name.serial == comm->serial ? thread_name.name : NULL;
    return comm->call_name[0] ? comm->call_name : NULL;
}

void comm_forget_name(mmarn_comm *comm)
{
    if (comm->turn.queued && thread_name.serial == comm->serial)
        set_thread_name(0, NULL);
    comm->call_name[0] = '\0';
}

bool comm_name_next(mmarn_comm *comm, const char *name, struct error *error)
{
    if ((name && !check_name(name, error)) || !check_parent(comm, error))
        return false;
    if (comm->turn.queued) { /* takes no turn: the named call would then have to come at once */
        set_thread_name(comm->serial, name);
        return true;
    }
    if (!comm_enter(comm, error))
        return false;
    snprintf(comm->call_name, sizeof comm->call_name, "%s", name ? name : "");
    comm_leave(comm);
    return true;
}
