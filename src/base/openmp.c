/* SPDX-License-Identifier: MIT */
/*
 * openmp.c - reads the variables. Places are read again for every team: places that the variables name by kind depend
 * on the mask of the thread that the team works for.
 */
#include "base/openmp.h"

#include <assert.h>
#include <ctype.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { MOST_PLACES = 1024 };

/* ------------------------------------------------------------------------------------------- single variables */

static const char *skip_spaces(const char *at)
{
    while (isspace((unsigned char)*at))
        at++;
    return at;
}

/* Accepts a character, with spaces on either side. */
static bool take(const char **at, char character)
{
    const char *here = skip_spaces(*at);
    if (*here != character)
        return false;
    *at = skip_spaces(here + 1);
    return true;
}

/* Accepts a whole number without a sign; a number that is too large becomes INT_MAX. */
static bool take_number(const char **at, int *number)
{
    const char *here = skip_spaces(*at);
    if (!isdigit((unsigned char)*here))
        return false;
    long value = 0;
    for (; isdigit((unsigned char)*here); here++)
        value = value > INT_MAX / 10 ? INT_MAX : value * 10 + (*here - '0');
    *number = value > INT_MAX ? INT_MAX : (int)value;
    *at = skip_spaces(here);
    return true;
}

/* Accepts a word in any case. */
static bool take_word(const char **at, const char *word)
{
    const char *here = skip_spaces(*at);
    const size_t length = strlen(word);
    if (strncasecmp(here, word, length) != 0 || isalnum((unsigned char)here[length]) || here[length] == '_')
        return false;
    *at = skip_spaces(here + length);
    return true;
}

/* A positive number, or the first of a list of them; 0 for anything else. */
static int read_count(const char *text, bool list)
{
    int first = 0, number;
    for (const char *at = text; at;) {
        if (!take_number(&at, &number) || number == 0)
            return 0;
        first = first ? first : number;
        if (*at == '\0')
            return first;
        if (!list || !take(&at, ','))
            return 0;
    }
    return 0;
}

/* Is the text well-formed? Its first word counts. */
static bool read_bind(const char *text, enum openmp_bind *bind)
{
    static const struct {
        const char *word;
        enum openmp_bind bind;
        bool alone;
    } words[] = {{"false", OPENMP_FREE, true},       {"true", OPENMP_CLOSE, true},
                 {"close", OPENMP_CLOSE, false},     {"spread", OPENMP_SPREAD, false},
                 {"primary", OPENMP_PRIMARY, false}, {"master", OPENMP_PRIMARY, false}};
    bool first = true;
    for (const char *at = text; at; first = false) {
        const size_t count = sizeof words / sizeof *words;
        size_t i = 0;
        while (i < count && !take_word(&at, words[i].word))
            i++;
        if (i == count)
            return false;
        if (first)
            *bind = words[i].bind;
        if (*at == '\0')
            return first || !words[i].alone;
        if (words[i].alone || !take(&at, ','))
            return false;
    }
    return false;
}

/* ------------------------------------------------------------------------------------------------------ places */

/* The state of reading: the places found so far, within the mask. */
struct reading {
    const struct affinity *mask;
    struct openmp_places found;
    int most;
    bool short_of_memory;
};

static void add_place(struct reading *reading, const struct affinity *place)
{
    struct affinity within;
    struct openmp_places *found = &reading->found;
    CPU_AND_S(sizeof within, within.sets, place->sets, reading->mask->sets);
    if (affinity_count(&within) == 0 || found->count == reading->most || reading->short_of_memory)
        return;
    struct affinity *masks = realloc(found->masks, (size_t)(found->count + 1) * sizeof *masks);
    reading->short_of_memory = !masks;
    if (!masks)
        return;
    found->masks = masks;
    masks[found->count++] = within;
}

/* Adds processors that may not exist on the system. */
static void add_some(struct affinity *place, int first, int count, int stride)
{
    const int most = count < AFFINITY_PROCESSORS ? count : AFFINITY_PROCESSORS;
    long at = first;
    for (int i = 0; i < most && at >= 0 && at < AFFINITY_PROCESSORS; i++, at += stride)
        affinity_add(place, (int)at);
}

/* ":length" and ":stride", which may be negative and may be left out. */
static bool take_length(const char **at, int *length, int *stride)
{
    *length = *stride = 1;
    if (!take(at, ':'))
        return true;
    if (!take_number(at, length) || *length == 0)
        return false;
    if (!take(at, ':'))
        return true;
    const bool negative = take(at, '-');
    if (!take_number(at, stride))
        return false;
    *stride = negative ? -*stride : *stride;
    return true;
}

/* "{0,1}", "{2:2}", "{0:4:2,9}". */
static bool take_place(const char **at, struct affinity *place)
{
    int first, length, stride;
    memset(place, 0, sizeof *place);
    if (!take(at, '{'))
        return false;
    do {
        if (!take_number(at, &first) || !take_length(at, &length, &stride))
            return false;
        add_some(place, first, length, stride);
    } while (take(at, ','));
    return take(at, '}');
}

static struct affinity shifted(const struct affinity *place, long by)
{
    struct affinity moved = {0};
    for (int i = 0; i < AFFINITY_PROCESSORS; i++)
        if (affinity_has(place, i) && i + by >= 0 && i + by < AFFINITY_PROCESSORS)
            affinity_add(&moved, (int)(i + by));
    return moved;
}

static bool read_list(const char *text, struct reading *reading)
{
    const char *at = text;
    do {
        struct affinity place;
        int length, stride;
        if (!take_place(&at, &place) || !take_length(&at, &length, &stride))
            return false;
        for (long i = 0; i < length && labs(i * stride) < AFFINITY_PROCESSORS; i++) {
            const struct affinity moved = shifted(&place, i * stride);
            add_place(reading, &moved);
            if (stride == 0 || reading->found.count == reading->most)
                break;
        }
    } while (take(&at, ','));
    return *at == '\0';
}

/* The processors that share something with this one, which the system lists as "0,8" or "0-7,16-23". */
static struct affinity sharers(int processor, const char *what)
{
    char name[128], text[4096] = "";
    struct affinity found = {0};
    affinity_add(&found, processor);
    snprintf(name, sizeof name, "/sys/devices/system/cpu/cpu%d/topology/%s", processor, what);
    FILE *file = fopen(name, "re");
    if (!file)
        return found;
    if (!fgets(text, sizeof text, file))
        text[0] = '\0';
    fclose(file);
    int first, last;
    for (const char *at = text; take_number(&at, &first); take(&at, ',')) {
        last = first;
        if (take(&at, '-') && !take_number(&at, &last))
            break;
        if (last < AFFINITY_PROCESSORS)
            add_some(&found, first, last - first + 1, 1);
    }
    return found;
}

/* Adds the processors of the mask, each with those that it shares something with; what NULL: each alone. */
static void add_by_kind(struct reading *reading, const char *what)
{
    struct affinity seen = {0};
    for (int i = 0; i < AFFINITY_PROCESSORS; i++) {
        if (!affinity_has(reading->mask, i) || affinity_has(&seen, i))
            continue;
        struct affinity place = {0};
        affinity_add(&place, i);
        if (what)
            place = sharers(i, what);
        CPU_OR_S(sizeof seen, seen.sets, seen.sets, place.sets);
        add_place(reading, &place);
    }
}

/* "cores" and "cores(4)". Is the text well-formed? */
static bool read_kind(const char *text, struct reading *reading)
{
    static const struct {
        const char *word, *what;
    } kinds[] = {{"threads", NULL}, {"cores", "thread_siblings_list"}, {"sockets", "core_siblings_list"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *at = text;
        int count = MOST_PLACES;
        if (!take_word(&at, kinds[i].word))
            continue;
        if (take(&at, '(') && (!take_number(&at, &count) || count == 0 || !take(&at, ')')))
            return false;
        if (*at != '\0')
            return false;
        reading->most = count < MOST_PLACES ? count : MOST_PLACES;
        add_by_kind(reading, kinds[i].what);
        return true;
    }
    return false;
}

/* "0 3 4-8:2", with commas or spaces; each processor is a place. */
static bool read_processors(const char *text, struct reading *reading)
{
    const char *at = text;
    do {
        int first, last, stride = 1;
        if (!take_number(&at, &first))
            return false;
        last = first;
        if (take(&at, '-') && (!take_number(&at, &last) || last < first))
            return false;
        if (last != first && take(&at, ':') && (!take_number(&at, &stride) || stride == 0))
            return false;
        for (long i = first; i <= last && i < AFFINITY_PROCESSORS; i += stride) {
            struct affinity place = {0};
            affinity_add(&place, (int)i);
            add_place(reading, &place);
        }
        take(&at, ',');
    } while (*at != '\0');
    return true;
}

static bool well_formed(const char *text, bool (*read)(const char *text, struct reading *reading))
{
    const struct affinity none = {0};
    struct reading reading = {.mask = &none, .most = MOST_PLACES};
    return text && read(text, &reading);
}

/* ----------------------------------------------------------------------------------------------- what is asked for */

struct openmp openmp_read(const char *(*get)(const char *name))
{
    const char *places = get("OMP_PLACES"), *processors = get("GOMP_CPU_AFFINITY"), *bind = get("OMP_PROC_BIND");
    struct openmp variables = {.num_threads = read_count(get("OMP_NUM_THREADS"), true),
                               .thread_limit = read_count(get("OMP_THREAD_LIMIT"), false)};
    if (well_formed(places, read_kind) || well_formed(places, read_list))
        variables.places = places;
    if (well_formed(processors, read_processors))
        variables.processors = processors;
    if (!read_bind(bind, &variables.bind))
        variables.bind = variables.places || variables.processors ? OPENMP_CLOSE : OPENMP_FREE;
    return variables;
}

static struct openmp variables_of_process;

static const char *get(const char *name)
{
    return getenv(name);
}

/* The texts that are kept are copied, because a program may change its environment. */
static void read_process(void)
{
    struct openmp *variables = &variables_of_process;
    *variables = openmp_read(get);
    variables->places = variables->places ? strdup(variables->places) : NULL;
    variables->processors = variables->processors ? strdup(variables->processors) : NULL;
}

const struct openmp *openmp_variables(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_process);
    return &variables_of_process;
}

struct openmp_places openmp_places_within(const struct openmp *variables, const struct affinity *mask)
{
    struct reading reading = {.mask = mask, .most = MOST_PLACES};
    if (variables->bind == OPENMP_FREE)
        return reading.found;
    if (variables->places && !read_kind(variables->places, &reading))
        read_list(variables->places, &reading);
    else if (!variables->places && variables->processors)
        read_processors(variables->processors, &reading);
    else if (!variables->places)
        add_by_kind(&reading, NULL);
    if (reading.short_of_memory)
        openmp_places_free(&reading.found);
    return reading.found;
}

void openmp_places_free(struct openmp_places *places)
{
    free(places->masks);
    *places = (struct openmp_places){0, NULL};
}

const struct affinity *openmp_place(const struct openmp *variables, const struct openmp_places *places, int thread,
                                    int threads)
{
    assert(places->count > 0 && thread >= 0 && thread < threads);
    if (variables->bind == OPENMP_PRIMARY)
        return &places->masks[0];
    if (variables->bind == OPENMP_CLOSE && threads <= places->count)
        return &places->masks[thread];
    return &places->masks[(int64_t)thread * places->count / threads];
}
