/* SPDX-License-Identifier: MIT */
/* group.c - see group.h. Ranks come from support/ranks.h; here they get an id, and the public way to join. */
#include "group.h"

#include <signal.h>
#include <stdlib.h>

struct group {
    mmarn_id id;
    int world_size;
    group_fn *fn;
    void *ctx;
};

mmarn_comm *group_join(struct group_rank *rank, int threads)
{
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    config.rank = rank->rank;
    config.world_size = rank->world_size;
    config.threads = threads;
    config.timeout_ms = 10000;
    config.transport = ranks_transport();
    mmarn_comm *comm = NULL;
    mmarn_status status = mmarn_comm_create(&rank->id, &config, &comm);
    if (status != MMARN_OK)
        expect_fail("joining: %s (%s)", mmarn_status_string(status), mmarn_last_error());
    return comm;
}

static bool rank_main(int rank, void *ctx)
{
    const struct group *group = ctx;
    struct group_rank self = {rank, group->world_size, group->id};
    expect_name("rank %d of %d", rank, group->world_size);
    return group->fn(&self, group->ctx);
}

static bool run_processes(struct group *group, void (*during)(const pid_t *ranks, void *ctx))
{
    pid_t pids[MMARN_MAX_RANKS];
    bool ok = true;
    for (int i = 0; i < group->world_size; i++)
        pids[i] = ranks_fork(i, rank_main, group);
    if (during)
        during(pids, group->ctx);
    for (int i = 0; i < group->world_size; i++) {
        const int end = ranks_wait(pids[i]);
        const bool killed_on_purpose = during && end == -SIGKILL;
        if (end < 0 && !killed_on_purpose)
            expect_fail("rank %d of %d was ended by signal %d", i, group->world_size, -end);
        ok &= killed_on_purpose || end == 0;
    }
    return ok;
}

static bool run(enum group_mode mode, int world_size, group_fn *fn, void *ctx,
                void (*during)(const pid_t *ranks, void *ctx))
{
    if (!ranks_transport_serves(world_size))
        return true;
    struct group group = {.world_size = world_size, .fn = fn, .ctx = ctx};
    if (mmarn_id_create(&group.id) != MMARN_OK)
        abort();
    const int before = expect_failures();
    const bool ok =
        mode == GROUP_THREADS ? ranks_run_threads(0, world_size, rank_main, &group) : run_processes(&group, during);
    return ok && expect_failures() == before;
}

bool group_run(enum group_mode mode, int world_size, group_fn *fn, void *ctx)
{
    return run(mode, world_size, fn, ctx, NULL);
}

bool group_run_with(int world_size, group_fn *fn, void *ctx, void (*during)(const pid_t *ranks, void *ctx))
{
    return run(GROUP_PROCESSES, world_size, fn, ctx, during);
}
