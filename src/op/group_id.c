/* SPDX-License-Identifier: MIT */
/* group_id.c - makes, writes and reads ids, and finds them in the environment. */
#include "op/group_id.h"

#include <errno.h>
#include <stdlib.h>

#include "coll/id.h"

bool group_id_create(mmarn_id *id, struct error *error)
{
    return coll_id_create(id, error);
}

bool group_id_to_text(const mmarn_id *id, char *text, size_t size, struct error *error)
{
    if (size < MMARN_ID_TEXT_SIZE)
        return error_fail(error, MMARN_ERR_ARGUMENT, "size is %zu but an id's text takes %d", size, MMARN_ID_TEXT_SIZE);
    if (!coll_id_valid(id))
        return error_fail(error, MMARN_ERR_ARGUMENT, "id was not made by mmarn_id_create");
    coll_id_text(id, text);
    return true;
}

static bool read_id(const char *name, const char *text, mmarn_id *id, struct error *error)
{
    return coll_id_from_text(text, id) ||
           error_fail(error, MMARN_ERR_ARGUMENT, "%s is \"%.32s...\"; it must be the 128 hexadecimal digits of an id",
                      name, text);
}

bool group_id_from_text(const char *text, mmarn_id *id, struct error *error)
{
    return read_id("text", text, id, error);
}

/* ------------------------------------------------------------------------------------------------- the environment */

static const char *find_variable(const char *name, struct error *error)
{
    const char *text = getenv(name);
    if (!text)
        error_fail(error, MMARN_ERR_ARGUMENT, "%s is not set; start the program with `mmarn launch`", name);
    return text;
}

/* A number in 0 .. most. */
static bool read_number(const char *name, long most, int32_t *value, struct error *error)
{
    const char *text = find_variable(name, error);
    if (!text)
        return false;
    char *end;
    errno = 0;
    const long number = strtol(text, &end, 10);
    if (errno || *text < '0' || *text > '9' || *end || number > most)
        return error_fail(error, MMARN_ERR_ARGUMENT, "%s is \"%.32s\"; it must be a number from 0 to %ld", name, text,
                          most);
    *value = (int32_t)number;
    return true;
}

bool group_id_from_env(mmarn_id *id, int32_t *rank, int32_t *world_size, struct error *error)
{
    int32_t env_rank = 0, env_size = 0;
    if (!read_number("MMARN_WORLD_SIZE", MMARN_MAX_RANKS, &env_size, error) ||
        !read_number("MMARN_RANK", MMARN_MAX_RANKS - 1, &env_rank, error))
        return false;
    const char *text = find_variable("MMARN_ID", error);
    mmarn_id parsed;
    if (!text || !read_id("MMARN_ID", text, &parsed, error))
        return false;
    *id = parsed;
    *rank = env_rank;
    *world_size = env_size;
    return true;
}
