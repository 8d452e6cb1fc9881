/* SPDX-License-Identifier: MIT */
/*
 * registry.c - a locked list. The fork handlers hold its lock over a fork, so that the child finds the list whole and
 * can mark its copies of the parent's groups as unusable before any of its own code runs.
 */
#include "api/registry.h"

#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static mmarn_comm *first;
static pthread_once_t handlers_once = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void)
{
    for (mmarn_comm *comm = first; comm; comm = comm->next)
        if (!atomic_exchange(&comm->forked, true))
            comm->coll->transport->forked(comm->coll);
    pthread_mutex_unlock(&lock);
}

static void install_handlers(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static bool serves(const mmarn_comm *comm, const char *name)
{
    return comm->name[0] && !atomic_load(&comm->forked) && strcmp(comm->name, name) == 0;
}

bool registry_add(mmarn_comm *comm, struct error *error)
{
    pthread_once(&handlers_once, install_handlers);
    bool taken = false;
    pthread_mutex_lock(&lock);
    for (mmarn_comm *other = first; other && comm->name[0]; other = other->next)
        if (serves(other, comm->name) && pthread_equal(other->creator, comm->creator))
            taken = true;
    if (!taken) {
        comm->next = first;
        first = comm;
    }
    pthread_mutex_unlock(&lock);
    return !taken || error_fail(error, MMARN_ERR_ARGUMENT,
                                "name is \"%s\" but this thread already has a group of that name", comm->name);
}

void registry_remove(mmarn_comm *comm)
{
    pthread_mutex_lock(&lock);
    for (mmarn_comm **link = &first; *link; link = &(*link)->next)
        if (*link == comm) {
            *link = comm->next;
            break;
        }
    pthread_mutex_unlock(&lock);
}

mmarn_comm *registry_find(const char *name, struct error *error)
{
    mmarn_comm *found = NULL;
    pthread_mutex_lock(&lock);
    for (mmarn_comm *comm = first; comm; comm = comm->next)
        if (serves(comm, name) && (!found || pthread_equal(comm->creator, pthread_self())))
            found = comm;
    pthread_mutex_unlock(&lock);
    if (!found)
        error_fail(error, MMARN_ERR_ARGUMENT, "name is \"%.127s\" but this process has no group of that name", name);
    return found;
}
