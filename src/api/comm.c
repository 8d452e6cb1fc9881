/* comm.c - the public doors to groups: ids, joining, finding, leaving. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/registry.h"
#include "base/error.h"
#include "base/float_env.h"
#include "coll/id.h"
#include "op/call.h"
#include "op/check.h"
#include "op/growth.h"
#include "op/tensor.h"

mmarn_status mmarn_id_create(mmarn_id *id)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("id", id);
    return status == MMARN_OK ? coll_id_create(id) : status;
}

mmarn_status mmarn_id_to_text(const mmarn_id *id, char *text, size_t size)
{
    FLOAT_ENV_SCOPE();
    CHECK(tensor_check_given("id", id));
    CHECK(tensor_check_given("text", text));
    if (size < MMARN_ID_TEXT_SIZE)
        return error_set(MMARN_ERR_ARGUMENT, "size is %zu but an id's text takes %d", size, MMARN_ID_TEXT_SIZE);
    if (!coll_id_valid(id))
        return error_set(MMARN_ERR_ARGUMENT, "id was not made by mmarn_id_create");
    coll_id_text(id, text);
    return MMARN_OK;
}

mmarn_status mmarn_id_from_text(const char *text, mmarn_id *id)
{
    FLOAT_ENV_SCOPE();
    CHECK(tensor_check_given("text", text));
    CHECK(tensor_check_given("id", id));
    if (!coll_id_from_text(text, id))
        return error_set(MMARN_ERR_ARGUMENT, "text is \"%.32s...\"; it must be the 128 hexadecimal digits of an id",
                         text);
    return MMARN_OK;
}

/* A variable of the environment as a number in 0 .. most. */
static mmarn_status env_number(const char *name, long most, int32_t *value)
{
    const char *text = getenv(name);
    if (!text)
        return error_set(MMARN_ERR_ARGUMENT, "%s is not set; start the program with `mmarn launch`", name);
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno || *text < '0' || *text > '9' || *end || number > most)
        return error_set(MMARN_ERR_ARGUMENT, "%s is \"%.32s\"; it must be a number from 0 to %ld", name, text, most);
    *value = (int32_t)number;
    return MMARN_OK;
}

mmarn_status mmarn_id_from_env(mmarn_id *id, int32_t *rank, int32_t *world_size)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("id", id);
    if (status == MMARN_OK)
        status = tensor_check_given("rank", rank);
    if (status == MMARN_OK)
        status = tensor_check_given("world_size", world_size);
    int32_t env_rank = 0, env_size = 0;
    if (status == MMARN_OK)
        status = env_number("MMARN_WORLD_SIZE", MMARN_MAX_RANKS, &env_size);
    if (status == MMARN_OK)
        status = env_number("MMARN_RANK", MMARN_MAX_RANKS - 1, &env_rank);
    if (status != MMARN_OK)
        return status;
    const char *text = getenv("MMARN_ID");
    if (!text)
        return error_set(MMARN_ERR_ARGUMENT, "MMARN_ID is not set; start the program with `mmarn launch`");
    mmarn_id parsed;
    if (!coll_id_from_text(text, &parsed))
        return error_set(MMARN_ERR_ARGUMENT, "MMARN_ID is \"%.32s...\"; it must be the 128 hexadecimal digits of an id",
                         text);
    *id = parsed;
    *rank = env_rank;
    *world_size = env_size;
    return MMARN_OK;
}

mmarn_status mmarn_comm_config_init(mmarn_comm_config *config, size_t struct_size)
{
    FLOAT_ENV_SCOPE();
    return growth_init(&growth_comm_config, config, struct_size);
}

mmarn_status mmarn_comm_create(const mmarn_id *id, const mmarn_comm_config *config, mmarn_comm **comm)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("config", config);
    if (status == MMARN_OK)
        status = tensor_check_given("comm", comm);
    mmarn_comm *made;
    if (status == MMARN_OK)
        status = comm_create(id, config, &made);
    if (status != MMARN_OK)
        return status;
    status = registry_add(made);
    if (status == MMARN_OK)
        *comm = made;
    else
        comm_destroy(made);
    return status;
}

mmarn_status mmarn_comm_find(const char *name, mmarn_comm **comm)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("name", name);
    if (status == MMARN_OK)
        status = tensor_check_given("comm", comm);
    if (status != MMARN_OK)
        return status;
    mmarn_comm *found = registry_find(name);
    if (!found)
        return error_set(MMARN_ERR_ARGUMENT, "name is \"%.127s\" but this process has no group of that name", name);
    *comm = found;
    return MMARN_OK;
}

mmarn_status mmarn_comm_rank(const mmarn_comm *comm, int32_t *rank, int32_t *world_size)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("comm", comm);
    if (status == MMARN_OK)
        status = tensor_check_given("rank", rank);
    if (status == MMARN_OK)
        status = tensor_check_given("world_size", world_size);
    if (status != MMARN_OK)
        return status;
    *rank = comm->coll->rank;
    *world_size = comm->coll->world_size;
    return MMARN_OK;
}

mmarn_status mmarn_comm_name_next(mmarn_comm *comm, const char *name)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("comm", comm);
    return status == MMARN_OK ? comm_name_next(comm, name) : status;
}

mmarn_status mmarn_comm_refuse(mmarn_comm *comm, const char *sentence)
{
    FLOAT_ENV_SCOPE();
    mmarn_status status = tensor_check_given("comm", comm);
    if (status == MMARN_OK)
        status = tensor_check_given("sentence", sentence);
    return status == MMARN_OK ? call_refuse_for_caller(comm, sentence) : status;
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
