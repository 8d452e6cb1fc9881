/* SPDX-License-Identifier: MIT */
/* bench_compare.c - see bench_compare.h. */
#include "bench_compare.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure/json_read.h"
#include "measure/machine.h"
#include "measure/options.h"

enum { MOST_BYTES = 16 << 20 };

/* The file's text, to be freed; NULL, and errno, if it cannot be read. */
static char *read_text(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = file ? malloc(MOST_BYTES + 1) : NULL;
    size_t length = 0;
    if (text) {
        length = fread(text, 1, MOST_BYTES, file);
        text[length] = '\0';
    }
    const int error = file && ferror(file) ? errno : 0;
    if (file)
        fclose(file);
    if (!error)
        return text;
    free(text);
    errno = error;
    return NULL;
}

bool bench_old_read(struct bench_old *old, const char *path)
{
    *old = (struct bench_old){.text = read_text(path)};
    if (!old->text) {
        fprintf(stderr, "mmarn bench: --compare: \"%s\" cannot be read: %s\n", path, strerror(errno));
        return false;
    }
    old->root = json_root(old->text);
    old->cases = json_member(old->root, "cases");
    if (json_first(old->cases))
        return true;
    fprintf(stderr, "mmarn bench: --compare: \"%s\" is not a report of mmarn bench --json\n", path);
    bench_old_free(old);
    return false;
}

void bench_old_free(struct bench_old *old)
{
    free(old->text);
    *old = (struct bench_old){0};
}

static double number_of(const char *object, const char *key)
{
    double number;
    return json_get_number(json_member(object, key), &number) ? number : (double)NAN;
}

static bool is_case(const char *object, const char *name, const struct workload *workload)
{
    return json_is_string(json_member(object, "case"), name) &&
           json_is_string(json_member(object, "dtype"), options_choice_name(scenario_names, workload->dtype)) &&
           json_is_string(json_member(object, "scale"), workload_scale_name(workload)) &&
           number_of(object, "group_size") == (double)workload->group_size &&
           number_of(object, "rows") == (double)workload->s && number_of(object, "k") == (double)workload->k &&
           number_of(object, "n") == (double)workload->n && number_of(object, "ranks") == workload->ranks &&
           number_of(object, "threads") == workload->threads;
}

struct bench_ratio bench_old_ratio(const struct bench_old *old, const char *name, const struct figures *figures)
{
    for (const char *at = json_first(old->cases); at; at = json_next(at)) {
        if (!is_case(at, name, &figures->workload))
            continue;
        const double seconds = number_of(at, "time_ms") * 1e-3;
        return (struct bench_ratio){.old_seconds = seconds,
                                    .ratio = seconds / figures->result.seconds,
                                    .least = number_of(at, "time_ms_least") * 1e-3 / figures->result.most_seconds,
                                    .most = number_of(at, "time_ms_most") * 1e-3 / figures->result.least_seconds};
    }
    return (struct bench_ratio){NAN, NAN, NAN, NAN};
}

bool bench_old_same_machine(const struct bench_old *old)
{
    char machine[160];
    machine_line(machine, sizeof machine);
    return json_is_string(json_member(old->root, "machine"), machine);
}
