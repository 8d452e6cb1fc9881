/* SPDX-License-Identifier: MIT */
/* peers.c - adds ranks to a group that is being formed, and words the errors for ranks that do not come. */
#include <assert.h>
#include <stdio.h>

#include "base/error.h"
#include "coll/shm/rendezvous.h"

bool shm_missing(const struct coll_options *options, uint64_t joined, struct error *error)
{
    char ranks[MMARN_MAX_RANKS * 4 + 1] = "";
    size_t used = 0;
    int count = 0;
    for (int rank = 0; rank < options->world_size; rank++)
        if (!(joined >> rank & 1))
            used += (size_t)snprintf(ranks + used, sizeof ranks - used, "%s%d", count++ ? ", " : "", rank);
    if (!count)
        return error_fail(error, MMARN_ERR_TIMEOUT, "all ranks came, but the group was not formed within %d ms",
                          options->timeout_ms);
    return error_fail(error, MMARN_ERR_TIMEOUT, "rank%s %s did not join within %d ms", count > 1 ? "s" : "", ranks,
                      options->timeout_ms);
}

bool shm_adopt(struct shm *shm, const struct coll_options *options, const struct shm_entry *entry,
               int descriptors[SHM_DESCRIPTORS], struct error *error)
{
    assert(entry->rank >= 0 && entry->rank < options->world_size);
    bool adopted = true, shared = true;
    shm->peers[entry->rank].pid = entry->pid;
    shm->peers[entry->rank].timeout_ms = entry->timeout_ms;
    if (entry->rank != options->rank) {
        if (entry->threads < 1 || entry->threads > MMARN_MAX_THREADS || descriptors[0] < 0 || descriptors[1] < 0)
            adopted =
                error_fail(error, MMARN_ERR_SYSTEM, "rank %d could not take rank %d's descriptors: too many are open",
                           options->rank, entry->rank);
        else
            adopted = shm_segment_open(descriptors[0], coll_id_nonce(options->id), entry->rank, entry->threads,
                                       &shm->segments[entry->rank], &shared, error);
    }
    /* A thread of this process cannot die alone, so its lifeline shows nothing. */
    if (adopted && !shared) {
        shm->peers[entry->rank].lifeline = descriptors[1];
        descriptors[1] = -1;
    }
    shm_close_all(descriptors);
    return adopted;
}

bool shm_interrupted(const struct coll_options *options, struct error *error)
{
    return error_fail(error, MMARN_ERR_ABORTED, "rank %d was interrupted while the group was being formed",
                      options->rank);
}
