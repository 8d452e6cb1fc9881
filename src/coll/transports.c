/* SPDX-License-Identifier: MIT */
/* transports.c - the list of transports, and the choice of one. */
#include "coll/transports.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define TRANSPORT(name) &coll_transport_##name,
const struct coll_transport *const coll_transports[] = {
#include "coll/transports.inc"
    NULL};
#undef TRANSPORT

static const struct coll_transport *find_any(const struct coll_options *options, struct error *error)
{
    const char *why = "";
    for (int i = 0; coll_transports[i]; i++)
        if (coll_transports[i]->supports(options, &why))
            return coll_transports[i];
    error_fail(error, MMARN_ERR_UNSUPPORTED, "no transport serves world_size %d: %s", options->world_size, why);
    return NULL;
}

static const struct coll_transport *find_named(const char *name, const struct coll_options *options,
                                               struct error *error)
{
    char known[128] = "";
    size_t used = 0;
    for (int i = 0; coll_transports[i]; i++) {
        const struct coll_transport *transport = coll_transports[i];
        const char *why = "";
        if (strcmp(name, transport->name)) {
            int added = snprintf(known + used, sizeof known - used, ", \"%s\"", transport->name);
            used += added > 0 && (size_t)added < sizeof known - used ? (size_t)added : 0;
        } else if (transport->supports(options, &why)) {
            return transport;
        } else {
            error_fail(error, MMARN_ERR_UNSUPPORTED, "transport \"%s\" cannot serve world_size %d: %s", name,
                       options->world_size, why);
            return NULL;
        }
    }
    error_fail(error, MMARN_ERR_UNSUPPORTED, "transport is \"%.40s\" but must be one of \"auto\"%s", name, known);
    return NULL;
}

const struct coll_transport *coll_find(const char *name, const struct coll_options *options, struct error *error)
{
    return !name || !strcmp(name, "auto") ? find_any(options, error) : find_named(name, options, error);
}
