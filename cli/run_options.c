/* SPDX-License-Identifier: MIT */
/*
 * run_options.c - the options of mmarn run, and which of them go together. Combinations that the operator would refuse
 * on every rank are refused here, before anything is computed.
 */
#include "run_options.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "measure/form.h"
#include "measure/machine.h"
#include "measure/options.h"
#include "measure/workload_job.h"

/* Elements of the largest tensor that --shape may ask for. Whether memory holds it is found out later. */
static const int64_t MOST_ELEMENTS = (int64_t)1 << 40;

enum { DEFAULT_GROUP = 128, GROUP_STEP = 32 };

static int refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int refuse(const char *format, ...)
{
    va_list arguments;
    fputs("mmarn run: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return EXIT_USAGE;
}

static int complete_group(struct workload *workload)
{
    if (workload->scale != SCALE_PER_GROUP)
        return workload->group_size == 0 ? OPTIONS_PROCEED : refuse("--group-size needs --scale per-group");
    if (workload->group_size == 0)
        workload->group_size = DEFAULT_GROUP;
    if (workload->group_size % GROUP_STEP != 0 || workload->group_size >= workload->k)
        return refuse("--group-size is %" PRId64 " and k is %" PRId64 "; it must be a multiple of %d below k",
                      workload->group_size, workload->k, GROUP_STEP);
    return OPTIONS_PROCEED;
}

/* Checks the options of scales for the scenario, and fills in those that were left out. */
static int complete_scales(struct workload *workload)
{
    const struct scenario *scenario = scenario_of(workload->dtype);
    const char *name = options_choice_name(scenario_names, workload->dtype);
    const bool int8 = scenario_is_int8(scenario), expands = scenario_has_integer_weights(scenario);
    const int64_t line = workload->trans_x2 ? workload->k : workload->n;

    if (!int8 && !expands && workload->scale != SCALE_NONE)
        return refuse("--scale is for quantised types, not for --dtype %s", name);
    if (!expands && workload->scale == SCALE_PER_GROUP)
        return refuse("--scale per-group is for quantised weights, not for --dtype %s", name);
    if (!expands && workload->offset)
        return refuse("--offset is for quantised weights, not for --dtype %s", name);
    if (!int8 && workload->per_token)
        return refuse("--per-token is for int8 x1, not for --dtype %s", name);
    if (scenario->x2 == MMARN_I4 && line % 2 != 0)
        return refuse("--dtype %s needs an even %s, as two int4 share a byte, not %" PRId64, name,
                      workload->trans_x2 ? "k" : "n", line);
    if ((int8 || expands) && workload->scale == SCALE_NONE)
        workload->scale = SCALE_PER_CHANNEL;
    return complete_group(workload);
}

/* Checks only that the name exists: the library decides whether it serves this many ranks. */
static int check_transport(const char *name)
{
    char known[128], *rest = known, *one;
    if (name == NULL || strcmp(name, "auto") == 0)
        return OPTIONS_PROCEED;
    machine_library_value("transports", known, sizeof(known));
    while ((one = strtok_r(rest, " ", &rest)) != NULL)
        if (strcmp(one, name) == 0)
            return OPTIONS_PROCEED;
    machine_library_value("transports", known, sizeof(known));
    return refuse("--transport is \"%s\"; it must be auto or one of: %s", name, known);
}

int run_options_parse(int argc, char **argv, struct workload *workload, bool *as_json)
{
    int64_t ranks = workload->ranks, threads = 0, shape[4];
    const struct option_spec options[] = {
        {"ranks", 'n', OPTION_WHOLE, &ranks, 1, MMARN_MAX_RANKS, NULL, "N", "processes (default 8)"},
        {"shape", 's', OPTION_SHAPE, shape, 0, MOST_ELEMENTS, NULL, "BxSxKxN",
         "sizes; k is each rank's (default 4x1024x1024x8192)"},
        {"dtype", 'd', OPTION_CHOICE, &workload->dtype, 0, 0, scenario_names, "TYPE",
         "f16, bf16, f32, int8-{f16,bf16,f32}, {f16,bf16,f32}-int8 or {f16,bf16}-int4 (default f16)"},
        {"threads", 't', OPTION_WHOLE, &threads, 1, MMARN_MAX_THREADS, NULL, "T",
         "threads of each rank (default: processors / ranks, at least 1)"},
        {"repeat", 'r', OPTION_WHOLE, &workload->repeat, 1, JOB_MAX_REPEAT, NULL, "R",
         "timed steps (default: as many as take seconds, at least 3)"},
        {"seed", 0, OPTION_SEED, &workload->seed, 0, 0, NULL, "SEED", "of the random data (default: a random one)"},
        {"bias", 0, OPTION_FLAG, &workload->bias, 0, 0, NULL, NULL, "every rank adds a bias of its own"},
        {"trans-x2", 0, OPTION_FLAG, &workload->trans_x2, 0, 0, NULL, NULL, "x2 is an (n, k) array, seen transposed"},
        {"numerics", 0, OPTION_CHOICE, &workload->numerics, 0, 0, workload_numerics, "MODE",
         "default, ascend or fp32 (default default)"},
        {"form", 0, OPTION_CHOICE, &workload->form, 0, 0, form_names, "FORM",
         "whole, mm-all-reduce (no norm), no-residual, gamma-plus-one, norm-first, int8 (norm_out), sharded (rows of a "
         "rank's own) (default whole)"},
        {"scale", 0, OPTION_CHOICE, &workload->scale, 0, 0, scale_names, "SHAPE",
         "of quantised types: per-tensor, per-channel or per-group (default per-channel)"},
        {"group-size", 0, OPTION_WHOLE, &workload->group_size, 1, MOST_ELEMENTS, NULL, "G",
         "rows of x2 that share a scale per-group (default 128)"},
        {"offset", 0, OPTION_FLAG, &workload->offset, 0, 0, NULL, NULL, "quantised weights have offsets too"},
        {"per-token", 0, OPTION_FLAG, &workload->per_token, 0, 0, NULL, NULL, "int8 x1 has a scale for each row"},
        {"transport", 0, OPTION_TEXT, &workload->transport, 0, 0, NULL, "NAME",
         "auto, or one of those that mmarn info lists (default auto)"},
        {"json", 0, OPTION_FLAG, as_json, 0, 0, NULL, NULL, "one JSON object on one line"},
        {0},
    };
    const struct option_command command = {
        "run", NULL,
        "Runs the operator on random data, one process per rank, and compares the result with an fp64 reference.\n"
        "Exit status: 0 right, 1 wrong result, 2 wrong usage, 3 could not run.",
        options};
    int first, status;

    memcpy(shape, &(int64_t[]){workload->b, workload->s, workload->k, workload->n}, sizeof(shape));
    status = options_parse(&command, argc, argv, &first);
    workload->ranks = (int)ranks;
    workload->threads = threads > 0 ? (int)threads : workload_default_threads((int)ranks);
    workload->b = shape[0];
    workload->s = shape[1];
    workload->k = shape[2];
    workload->n = shape[3];
    if (status == OPTIONS_PROCEED)
        status = check_transport(workload->transport);
    return status == OPTIONS_PROCEED ? complete_scales(workload) : status;
}
