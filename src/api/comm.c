/* SPDX-License-Identifier: MIT */
/*
 * comm.c - the public functions of groups: ids, joining, finding, naming a call, leaving. Handles, and pointers to
 * results, must be given; all else is checked below.
 */
#include "api/door.h"
#include "api/registry.h"
#include "base/float_env.h"
#include "op/call.h"
#include "op/check_pieces.h"
#include "op/group_id.h"
#include "op/growth.h"

mmarn_status mmarn_id_create(mmarn_id *id)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    const bool done = check_given("id", id, &error) && group_id_create(id, &error);
    return door_status(done, &error);
}

mmarn_status mmarn_id_to_text(const mmarn_id *id, char *text, size_t size)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    const bool done =
        check_given("id", id, &error) && check_given("text", text, &error) && group_id_to_text(id, text, size, &error);
    return door_status(done, &error);
}

mmarn_status mmarn_id_from_text(const char *text, mmarn_id *id)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    const bool done =
        check_given("text", text, &error) && check_given("id", id, &error) && group_id_from_text(text, id, &error);
    return door_status(done, &error);
}

mmarn_status mmarn_id_from_env(mmarn_id *id, int32_t *rank, int32_t *world_size)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    const bool done = check_given("id", id, &error) && check_given("rank", rank, &error) &&
                      check_given("world_size", world_size, &error) && group_id_from_env(id, rank, world_size, &error);
    return door_status(done, &error);
}

mmarn_status mmarn_comm_config_init(mmarn_comm_config *config, size_t struct_size)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    return door_status(growth_init(&growth_comm_config, config, struct_size, &error), &error);
}

mmarn_status mmarn_comm_create(const mmarn_id *id, const mmarn_comm_config *config, mmarn_comm **comm)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    mmarn_comm *made;
    if (!check_given("config", config, &error) || !check_given("comm", comm, &error) ||
        !comm_create(id, config, &made, &error))
        return door_failed(&error);
    if (!registry_add(made, &error)) {
        comm_destroy(made);
        return door_failed(&error);
    }
    *comm = made;
    return MMARN_OK;
}

mmarn_status mmarn_comm_find(const char *name, mmarn_comm **comm)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    if (!check_given("name", name, &error) || !check_given("comm", comm, &error))
        return door_failed(&error);
    mmarn_comm *found = registry_find(name, &error);
    if (found)
        *comm = found;
    return door_status(found, &error);
}

mmarn_status mmarn_comm_rank(const mmarn_comm *comm, int32_t *rank, int32_t *world_size)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    if (!check_given("comm", comm, &error) || !check_given("rank", rank, &error) ||
        !check_given("world_size", world_size, &error))
        return door_failed(&error);
    *rank = comm->coll->rank;
    *world_size = comm->coll->world_size;
    return MMARN_OK;
}

mmarn_status mmarn_comm_name_next(mmarn_comm *comm, const char *name)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    const bool done = check_given("comm", comm, &error) && comm_name_next(comm, name, &error);
    return door_status(done, &error);
}

mmarn_status mmarn_comm_refuse(mmarn_comm *comm, const char *sentence)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    const bool done = check_given("comm", comm, &error) && check_given("sentence", sentence, &error) &&
                      call_refuse_for_caller(comm, sentence, &error);
    return door_status(done, &error);
}

void mmarn_comm_abort(mmarn_comm *comm)
{
    if (comm && !atomic_load(&comm->forked))
        comm->coll->transport->fail(comm->coll, COLL_ABORTED);
}

void mmarn_comm_destroy(mmarn_comm *comm)
{
    if (!comm)
        return;
    registry_remove(comm);
    comm_destroy(comm);
}
