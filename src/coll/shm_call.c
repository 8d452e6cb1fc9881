/*
 * shm_call.c - opening and closing calls, and finding out whether all ranks ask for the same.
 *
 * Every call of a rank has a number, whether it has work to do, refuses it or has nothing to do, so ranks that differ
 * in that stay in step for the calls that follow. A rank publishes what it asks for as record number s; all ranks look
 * at the same records, and so come to the same verdict with the same sentence. A rank that has opened call s without a
 * record of it made an empty call. Records alternate between two places; one is not written again before every peer has
 * finished the call that it was for.
 */
#include "coll/shm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

/* The caller's own field number i; NULL: its list is shorter, or i is a value of ours. */
static const struct coll_field *field_of(const struct shm *shm, int i)
{
    for (int at = 0; at < COLL_FIELDS && shm->asked.fields[at].name; at++)
        if (at == i)
            return &shm->asked.fields[at];
    return NULL;
}

/* This rank has opened its call, with a record or without. */
static void advance_position(struct shm *shm)
{
    /* Pairs with the loads in record_of: whoever sees this position sees the record that may be there. */
    atomic_store(&shm_own(shm)->position, shm->call);
}

static void finish(struct shm *shm)
{
    /* Pairs with the loads in shm_wait.c; seq_cst and after everything that this rank did in the call. */
    atomic_store(&shm_own(shm)->finished, shm->call);
}

/* The place of this call's own record, free to be written; NULL: the group has failed. */
static struct shm_record *record_place(struct shm *shm)
{
    int place = (int)(shm->call % 2);
    if (!shm_wait_finished(shm, shm->published[place]))
        return NULL;
    shm->published[place] = shm->call;
    return &shm_own(shm)->records[place];
}

static void text_set(struct shm_record *record, const char *text)
{
    uint64_t words[SHM_SENTENCE_SIZE / sizeof(uint64_t)] = {0};
    snprintf((char *)words, sizeof words, "%s", text);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        atomic_store_explicit(&record->text[i], words[i], memory_order_relaxed);
}

static void text_get(const struct shm_record *record, char text[SHM_SENTENCE_SIZE])
{
    uint64_t words[SHM_SENTENCE_SIZE / sizeof(uint64_t)];
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        words[i] = atomic_load_explicit(&record->text[i], memory_order_relaxed);
    snprintf(text, SHM_SENTENCE_SIZE, "%.*s", (int)sizeof words, (const char *)words);
}

/* FNV-1a, never 0: two names of one call that have the same are taken for the same. */
static uint64_t hash_of(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
    return hash ? hash : 1;
}

static void publish(struct shm *shm, struct shm_record *record)
{
    /* Pairs with the load in record_of: whoever sees the number sees the values. */
    atomic_store(&record->call, shm->call);
    advance_position(shm);
}

/*
 * This rank has spoken, and will do no more in the call. Nobody can judge it before all have spoken, so only the last
 * to do so rings. Positions are seq_cst: of ranks that come at the same time, the last in their order sees all the
 * others'.
 */
static void ring_when_last(struct shm *shm)
{
    for (int rank = 0; rank < shm->coll.world_size; rank++)
        if (atomic_load(&shm->segments[rank].header->position) < shm->call)
            return;
    shm_ring_all(shm);
}

mmarn_status shm_begin(struct coll *coll, const struct coll_call *call)
{
    struct shm *shm = shm_of(coll);
    shm->call++;
    shm->asked = *call;
    atomic_store(&shm->verdict, SHM_UNDECIDED);
    shm_place_note(shm);
    struct shm_record *record = record_place(shm);
    if (!record)
        return shm_status(shm);
    for (int i = 0; i < COLL_FIELDS; i++)
        atomic_store_explicit(&record->values[i], field_of(shm, i) ? call->values[i] : 0, memory_order_relaxed);
    atomic_store_explicit(&record->values[SHM_TILES], call->tiles, memory_order_relaxed);
    atomic_store_explicit(&record->values[SHM_ALGORITHM], call->algorithm, memory_order_relaxed);
    atomic_store_explicit(&record->values[SHM_NAME], call->name ? (int64_t)hash_of(call->name) : 0,
                          memory_order_relaxed);
    if (call->name)
        text_set(record, call->name);
    atomic_store_explicit(&record->refused, 0, memory_order_relaxed);
    publish(shm, record);
    return MMARN_OK;
}

void shm_end(struct coll *coll, mmarn_status outcome)
{
    struct shm *shm = shm_of(coll);
    int verdict = atomic_load(&shm->verdict);
    if (outcome == MMARN_OK && verdict == SHM_AGREED)
        shm_rings_advance(shm);
    else if (outcome == MMARN_ERR_MISMATCH && verdict == SHM_DISAGREED)
        shm_rings_undo(shm);
    else {
        /* Peers may be waiting for what this rank will not do any more. */
        shm_fail(shm, SHM_FAILED, -1, shm->call);
        return;
    }
    finish(shm);
}

void shm_refuse(struct coll *coll, const char *sentence)
{
    struct shm *shm = shm_of(coll);
    shm->call++;
    struct shm_record *record = record_place(shm);
    if (!record)
        return;
    text_set(record, sentence);
    atomic_store_explicit(&record->refused, 1, memory_order_relaxed);
    publish(shm, record);
    ring_when_last(shm);
    finish(shm);
}

void shm_skip(struct coll *coll)
{
    struct shm *shm = shm_of(coll);
    shm->call++;
    advance_position(shm);
    ring_when_last(shm);
    finish(shm);
}

enum presence { NOT_YET, EMPTY, HERE };

/* What a rank has to say about the current call; its record when it is HERE. */
static enum presence record_of(const struct shm *shm, int rank, const struct shm_record **record)
{
    const struct shm_header *header = shm->segments[rank].header;
    *record = &header->records[shm->call % 2];
    if (atomic_load(&(*record)->call) == shm->call)
        return HERE;
    if (atomic_load(&header->position) < shm->call)
        return NOT_YET;
    /* Once the position has reached the call, a record that is not there will never be. */
    return atomic_load(&(*record)->call) == shm->call ? HERE : EMPTY;
}

static int64_t value_of(const struct shm_record *record, int i)
{
    return atomic_load_explicit(&record->values[i], memory_order_relaxed);
}

static mmarn_status refused(const struct shm *shm, const struct shm_record *record, int rank)
{
    char text[SHM_SENTENCE_SIZE];
    text_get(record, text);
    return error_set(MMARN_ERR_MISMATCH, "call %" PRIu64 ": rank %d refused the call: %s", shm->call, rank, text);
}

static const char *name_of(const struct shm *shm, int i)
{
    const struct coll_field *field = field_of(shm, i);
    if (field)
        return field->name;
    return i == SHM_TILES       ? "the number of tiles"
           : i == SHM_ALGORITHM ? "the algorithm"
           : i == SHM_NAME      ? "the name"
                                : "an argument";
}

enum { VALUE_SIZE = MMARN_MAX_NAME + 3 };

static void text_of(const struct shm *shm, int i, const struct shm_record *record, char text[VALUE_SIZE])
{
    const struct coll_field *field = field_of(shm, i);
    const int64_t value = value_of(record, i);
    char name[SHM_SENTENCE_SIZE];
    if (i == SHM_NAME && value) {
        text_get(record, name);
        snprintf(text, VALUE_SIZE, "\"%.*s\"", MMARN_MAX_NAME, name);
    } else if (i == SHM_NAME)
        snprintf(text, VALUE_SIZE, "none");
    else if (field && field->text)
        snprintf(text, VALUE_SIZE, "%s", field->text(value));
    else
        snprintf(text, VALUE_SIZE, "%" PRId64, value);
}

/* Value number i: the first rank that differs from rank 0 in it, if there is one. */
static mmarn_status compare_one(const struct shm *shm, const struct shm_record *const records[], int i)
{
    const int64_t first = value_of(records[0], i);
    int rank = 1;
    while (rank < shm->coll.world_size && value_of(records[rank], i) == first)
        rank++;
    if (rank == shm->coll.world_size)
        return MMARN_OK;
    char here[VALUE_SIZE], there[VALUE_SIZE], named[VALUE_SIZE + 3] = "";
    text_of(shm, i, records[0], here);
    text_of(shm, i, records[rank], there);
    if (i != SHM_NAME && shm->asked.name)
        snprintf(named, sizeof named, " (\"%.*s\")", MMARN_MAX_NAME, shm->asked.name);
    return error_set(MMARN_ERR_MISMATCH, "call %" PRIu64 "%s: %s is %s on rank 0 but %s on rank %d", shm->call, named,
                     name_of(shm, i), here, there, rank);
}

/* Names first: calls that have two are two calls, whatever else they differ in. Then in the order of the fields. */
static mmarn_status compare(const struct shm *shm, const struct shm_record *const records[])
{
    mmarn_status status = compare_one(shm, records, SHM_NAME);
    for (int i = 0; !status && i < SHM_NAME; i++)
        status = compare_one(shm, records, i);
    return status;
}

/* All ranks have spoken: refusals count first, then empty calls, then values. */
static mmarn_status judge(const struct shm *shm, const struct shm_record *const records[])
{
    int busy = -1;
    int empty = -1;
    for (int rank = 0; rank < shm->coll.world_size; rank++) {
        if (records[rank] && atomic_load_explicit(&records[rank]->refused, memory_order_relaxed))
            return refused(shm, records[rank], rank);
        if (records[rank] && busy < 0)
            busy = rank;
        if (!records[rank] && empty < 0)
            empty = rank;
    }
    if (empty >= 0)
        return error_set(MMARN_ERR_MISMATCH,
                         "call %" PRIu64 ": rank %d made an empty call (b * s or n is 0) where rank %d has work",
                         shm->call, empty, busy);
    return compare(shm, records);
}

bool shm_agreed(struct coll *coll, mmarn_status *status)
{
    struct shm *shm = shm_of(coll);
    *status = MMARN_OK;
    if (atomic_load(&shm->verdict) == SHM_AGREED)
        return true;
    const struct shm_record *records[MMARN_MAX_RANKS];
    for (int rank = 0; rank < coll->world_size; rank++) {
        enum presence presence = record_of(shm, rank, &records[rank]);
        if (presence == NOT_YET)
            return false;
        if (presence == EMPTY)
            records[rank] = NULL;
    }
    *status = judge(shm, records);
    /* Pairs with the load in shm_ring.c. Threads that come here at the same time store the same. */
    atomic_store(&shm->verdict, *status ? SHM_DISAGREED : SHM_AGREED);
    /* What ranks do after they have agreed needs a part of each of them, whose coming wakes them; a disagreement comes
       with nothing else. The last to open the call finds it out. */
    if (*status)
        shm_ring_all(shm);
    return true;
}
