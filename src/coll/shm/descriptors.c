/* SPDX-License-Identifier: MIT */
/*
 * descriptors.c - call descriptors as records in segments. A rank that has opened call s without a record made an empty
 * call. Records alternate between two places. A place is written again only when every peer has finished the call that
 * it was used for.
 */
#include <assert.h>
#include <string.h>

#include "coll/shm/shm.h"

enum { TEXT_WORDS = COLL_TEXT_SIZE / sizeof(uint64_t) };

static void finish(struct shm *shm)
{
    /* Pairs with the loads in wait.c. It is seq_cst, and comes after everything that this rank did in the call. */
    atomic_store(&shm_own(shm)->finished, shm->coll.call);
}

static void store_text(struct shm_record *record, const char *text)
{
    uint64_t words[TEXT_WORDS];
    memcpy(words, text, sizeof words);
    for (int i = 0; i < TEXT_WORDS; i++)
        atomic_store_explicit(&record->text[i], words[i], memory_order_relaxed);
}

static void load_text(const struct shm_record *record, char *text)
{
    uint64_t words[TEXT_WORDS];
    for (int i = 0; i < TEXT_WORDS; i++)
        words[i] = atomic_load_explicit(&record->text[i], memory_order_relaxed);
    memcpy(text, words, sizeof words);
    text[COLL_TEXT_SIZE - 1] = '\0'; /* a peer may have written anything */
}

/* False: the group has failed, so the place for this call's record is not free. */
static bool post_record(struct shm *shm, const struct coll_descriptor *descriptor)
{
    const int place = (int)(shm->coll.call % 2);
    struct shm_record *record = &shm_own(shm)->records[place];
    if (!shm_wait_finished(shm, shm->posted[place]))
        return false;
    shm->posted[place] = shm->coll.call;
    for (int i = 0; i < COLL_VALUES; i++)
        atomic_store_explicit(&record->values[i], descriptor->values[i], memory_order_relaxed);
    if (descriptor->has_text)
        store_text(record, descriptor->text);
    atomic_store_explicit(&record->has_text, descriptor->has_text, memory_order_relaxed);
    atomic_store_explicit(&record->refused, descriptor->refused, memory_order_relaxed);
    /* Pairs with the load in shm_peek: a rank that sees the number sees the words above. */
    atomic_store(&record->call, shm->coll.call);
    return true;
}

/*
 * This rank has posted, and will do no more in the call. Peers can judge the call only when all ranks have posted, so
 * only the last rank to post wakes them. Positions are seq_cst: if several ranks arrive at the same time, the last in
 * that order sees all the others.
 */
static void wake_when_last(struct shm *shm)
{
    for (int rank = 0; rank < shm->coll.world_size; rank++)
        if (atomic_load(&shm->segments[rank].header->position) < shm->coll.call)
            return;
    shm_wake_all(shm);
}

bool shm_post(struct coll *coll, const struct coll_descriptor *descriptor, bool last, struct error *error)
{
    struct shm *shm = shm_of(coll);
    assert(atomic_load(&shm_own(shm)->position) < coll->call);
    if (!last)
        shm_place_note(shm);
    if (descriptor && !post_record(shm, descriptor))
        return last || shm_failure_check(shm, error);
    /* Pairs with the loads in shm_peek: a rank that sees this position sees the record, if there is one. */
    atomic_store(&shm_own(shm)->position, coll->call);
    if (last) {
        wake_when_last(shm);
        finish(shm);
    }
    return true;
}

enum coll_presence shm_peek(struct coll *coll, int rank, struct coll_descriptor *descriptor)
{
    assert(rank >= 0 && rank < coll->world_size);
    const struct shm_header *header = shm_of(coll)->segments[rank].header;
    const struct shm_record *record = &header->records[coll->call % 2];
    if (atomic_load(&record->call) != coll->call) {
        if (atomic_load(&header->position) < coll->call)
            return COLL_NOT_YET;
        /* Once the position has reached the call, a record that is missing will never come. */
        if (atomic_load(&record->call) != coll->call)
            return COLL_EMPTY;
    }
    for (int i = 0; i < COLL_VALUES; i++)
        descriptor->values[i] = atomic_load_explicit(&record->values[i], memory_order_relaxed);
    descriptor->refused = atomic_load_explicit(&record->refused, memory_order_relaxed) != 0;
    descriptor->has_text = atomic_load_explicit(&record->has_text, memory_order_relaxed) != 0;
    if (descriptor->has_text)
        load_text(record, descriptor->text);
    return COLL_HERE;
}

void shm_finish(struct coll *coll, enum coll_outcome outcome)
{
    struct shm *shm = shm_of(coll);
    assert(atomic_load(&shm_own(shm)->finished) < coll->call);
    if (outcome == COLL_DONE) {
        shm_rings_advance(shm);
        finish(shm);
        return;
    }
    shm_rings_undo(shm);
    finish(shm);
    /* After an agreement, ranks wait for a partial of every rank, and its arrival wakes them. After a disagreement
       nothing else would wake them. The last rank to open the call finds out. */
    shm_wake_all(shm);
}
