/* SPDX-License-Identifier: MIT */
/*
 * agreement.c - turns what a rank asks for into a descriptor, and compares the descriptors of all ranks. A descriptor's
 * values are the caller's fields, then the shape of the call, then a hash of its name. Its text is the name, or, for a
 * refused call, the reason.
 */
#include "coll/agreement.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

/* The values of a descriptor: the call's fields, then these. */
enum { TILES = COLL_FIELDS, ALGORITHM, NAME /* a hash; 0: none */, VALUES };
_Static_assert((int)VALUES == (int)COLL_VALUES, "a descriptor has room for all values");

/* The caller's field number i. NULL: the caller's list is shorter, or value i is one of ours. */
static const struct coll_field *field_of(const struct coll_call *call, int i)
{
    for (int at = 0; at < COLL_FIELDS && call->fields && call->fields[at].name; at++)
        if (at == i)
            return &call->fields[at];
    return NULL;
}

/* FNV-1a, never 0. Two different names with the same hash count as the same name. */
static uint64_t hash_of(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
    return hash ? hash : 1;
}

static void set_text(struct coll_descriptor *descriptor, const char *text)
{
    descriptor->has_text = true;
    snprintf(descriptor->text, sizeof descriptor->text, "%s", text);
}

static void open_call(struct coll *coll, const struct coll_call_shape *shape)
{
    coll->call++;
    coll->shape = *shape;
}

bool coll_begin(struct coll *coll, const struct coll_call *call, struct error *error)
{
    struct coll_descriptor descriptor;
    assert(call->shape.tiles > 0 && coll->rank >= 0 && coll->rank < coll->world_size);
    assert(coll->world_size <= MMARN_MAX_RANKS && coll->event);
    open_call(coll, &call->shape);
    for (int i = 0; i < COLL_FIELDS; i++)
        descriptor.values[i] = field_of(call, i) ? call->values[i] : 0;
    descriptor.values[TILES] = call->shape.tiles;
    descriptor.values[ALGORITHM] = call->shape.algorithm;
    descriptor.values[NAME] = call->name ? (int64_t)hash_of(call->name) : 0;
    descriptor.refused = descriptor.has_text = false;
    if (call->name)
        set_text(&descriptor, call->name);
    return coll->transport->post(coll, &descriptor, false, error);
}

void coll_end(struct coll *coll, mmarn_status outcome)
{
    if (outcome == MMARN_OK)
        coll->transport->finish(coll, COLL_DONE);
    else if (outcome == MMARN_ERR_MISMATCH)
        coll->transport->finish(coll, COLL_DROPPED);
    else /* peers may be waiting for work that this rank will not do any more */
        coll->transport->fail(coll, COLL_BROKEN);
}

void coll_refuse(struct coll *coll, const char *sentence)
{
    struct coll_descriptor descriptor = {.refused = true};
    set_text(&descriptor, sentence);
    open_call(coll, &(struct coll_call_shape){0});
    coll->transport->post(coll, &descriptor, true, NULL);
}

void coll_skip(struct coll *coll)
{
    open_call(coll, &(struct coll_call_shape){0});
    coll->transport->post(coll, NULL, true, NULL);
}

/* ------------------------------------------------------------------------------------------------- the verdict */

/*
 * The result over all descriptors. The fields are ranks or -1, and the first value in which a rank differs from rank 0.
 */
struct tally {
    int refused, empty, busy, differs;
    int value;                           /* index of the value in the order of comparison */
    struct coll_descriptor first, other; /* of rank 0, and of the rank in `refused` or `differs` */
};

/*
 * The name is compared first: calls with different names are different calls, whatever else differs. The fields follow.
 */
static int value_at(int place)
{
    return place == 0 ? NAME : place - 1;
}

static int first_difference(const struct coll_descriptor *a, const struct coll_descriptor *b)
{
    int place = 0;
    while (place < VALUES && a->values[value_at(place)] == b->values[value_at(place)])
        place++;
    return place;
}

static void count_in(struct tally *tally, int rank, const struct coll_descriptor *descriptor)
{
    if (tally->refused >= 0)
        return;
    if (descriptor->refused) {
        tally->refused = rank;
        tally->other = *descriptor;
        return;
    }
    if (tally->busy < 0)
        tally->busy = rank;
    const int place = rank > 0 ? first_difference(&tally->first, descriptor) : VALUES;
    if (place < tally->value) {
        tally->value = place;
        tally->differs = rank;
        tally->other = *descriptor;
    }
}

/* False: some rank has not posted yet. */
static bool take_tally(struct coll *coll, struct tally *tally)
{
    struct coll_descriptor descriptor;
    tally->refused = tally->empty = tally->busy = tally->differs = -1;
    tally->value = VALUES;
    for (int rank = 0; rank < coll->world_size; rank++) {
        const enum coll_presence presence = coll->transport->peek(coll, rank, rank ? &descriptor : &tally->first);
        if (presence == COLL_NOT_YET)
            return false;
        if (presence == COLL_EMPTY && rank == 0)
            tally->first = (struct coll_descriptor){0};
        if (presence == COLL_HERE)
            count_in(tally, rank, rank ? &descriptor : &tally->first);
        else if (tally->empty < 0)
            tally->empty = rank;
    }
    return true;
}

static const char *name_of(const struct coll_call *call, int value)
{
    const struct coll_field *field = field_of(call, value);
    if (field)
        return field->name;
    return value == TILES       ? "the number of tiles"
           : value == ALGORITHM ? "the algorithm"
           : value == NAME      ? "the name"
                                : "an argument";
}

enum { VALUE_SIZE = MMARN_MAX_NAME + 3 };

static void text_of(const struct coll_call *call, int at, const struct coll_descriptor *descriptor,
                    char text[VALUE_SIZE])
{
    const struct coll_field *field = field_of(call, at);
    const int64_t value = descriptor->values[at];
    if (at == NAME && value)
        snprintf(text, VALUE_SIZE, "\"%.*s\"", MMARN_MAX_NAME, descriptor->text);
    else if (at == NAME)
        snprintf(text, VALUE_SIZE, "none");
    else if (field && field->text)
        snprintf(text, VALUE_SIZE, "%s", field->text(value));
    else
        snprintf(text, VALUE_SIZE, "%" PRId64, value);
}

static bool differ(const struct coll *coll, const struct coll_call *call, const struct tally *tally,
                   struct error *error)
{
    char here[VALUE_SIZE], there[VALUE_SIZE], named[VALUE_SIZE + 3] = "";
    const int value = value_at(tally->value);
    text_of(call, value, &tally->first, here);
    text_of(call, value, &tally->other, there);
    if (value != NAME && call->name)
        snprintf(named, sizeof named, " (\"%.*s\")", MMARN_MAX_NAME, call->name);
    return error_fail(error, MMARN_ERR_MISMATCH, "call %" PRIu64 "%s: %s is %s on rank 0 but %s on rank %d", coll->call,
                      named, name_of(call, value), here, there, tally->differs);
}

/* All ranks have posted. Refusals count first, then empty calls, then values. */
static bool judge(const struct coll *coll, const struct coll_call *call, const struct tally *tally, struct error *error)
{
    if (tally->refused >= 0)
        return error_fail(error, MMARN_ERR_MISMATCH, "call %" PRIu64 ": rank %d refused the call: %s", coll->call,
                          tally->refused, tally->other.text);
    if (tally->empty >= 0)
        return error_fail(error, MMARN_ERR_MISMATCH,
                          "call %" PRIu64 ": rank %d made an empty call (b * s or n is 0) where rank %d has work",
                          coll->call, tally->empty, tally->busy);
    return tally->differs < 0 || differ(coll, call, tally, error);
}

enum coll_agreement coll_agreed(struct coll *coll, const struct coll_call *call, struct error *error)
{
    struct tally tally;
    if (!take_tally(coll, &tally))
        return COLL_UNKNOWN;
    return judge(coll, call, &tally, error) ? COLL_AGREED : COLL_DIFFER;
}
