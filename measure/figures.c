/* SPDX-License-Identifier: MIT */
/* figures.c - see figures.h. Each share of a ceiling is next to its figure. */
#include "figures.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "exit_status.h"
#include "machine.h"
#include "options.h"
#include "progress.h"

/* The names of the machine and of the library's matmul kernel, for both forms of a report. */
struct names {
    char machine[160], kernel[64];
};

static void find_names(struct names *names)
{
    machine_line(names->machine, sizeof(names->machine));
    machine_library_value("gemm kernel", names->kernel, sizeof(names->kernel));
}

int figures_ceilings(const char *command, int workers, struct peak *peak)
{
    progress_show("measuring the ceilings");
    const bool measured = peak_measure(workers, PEAK_MEMORY, peak);
    const int error = errno;

    progress_clear();
    if (measured)
        return EXIT_OK;
    fprintf(stderr, "mmarn %s: the machine's ceilings cannot be measured: %s\n", command, strerror(error));
    return error == EINTR ? 128 + 2 : EXIT_RUNTIME;
}

void figures_set(struct figures *figures, const struct peak *peak, double bytes)
{
    figures->peak = *peak;
    figures->gflops = workload_operations(&figures->workload) / figures->result.seconds * 1e-9;
    figures->gigabytes = bytes / figures->result.seconds * 1e-9;
}

void figures_show_ceilings(const struct peak *peak)
{
    struct names names;

    find_names(&names);
    table_pair("machine", "%s", names.machine);
    table_pair("kernel", "%s", names.kernel);
    for (int kind = 0; kind < PEAK_KINDS; kind++) {
        const struct peak_rate *rate = &peak->rate[kind];
        if (rate->level != NULL)
            table_pair("peak", "%.1f GFLOP/s in %s (%s, %d at once), %.1f at best", rate->gflops, peak_kind_names[kind],
                       rate->level, peak->workers, rate->best_gflops);
    }
    table_pair("reading", "%.1f GB/s, %.1f at best", peak->memory.gigabytes, peak->memory.best_gigabytes);
}

void figures_json_machine(struct json *json, const struct peak *peak)
{
    struct names names;

    find_names(&names);
    json_string(json, "machine", names.machine);
    json_string(json, "kernel", names.kernel);
    json_string(json, "peak_kind", peak_kind_names[PEAK_FP32]);
    json_number(json, "best_peak_gflops", peak->rate[PEAK_FP32].best_gflops);
    json_number(json, "best_read_gbs", peak->memory.best_gigabytes);
    json_begin_array(json, "peaks");
    for (int kind = 0; kind < PEAK_KINDS; kind++) {
        const struct peak_rate *rate = &peak->rate[kind];
        if (rate->level == NULL)
            continue;
        json_begin_object(json, NULL);
        json_string(json, "kind", peak_kind_names[kind]);
        json_string(json, "level", rate->level);
        json_number(json, "gflops", rate->gflops);
        json_number(json, "best_gflops", rate->best_gflops);
        json_end_object(json);
    }
    json_end_array(json);
}

int figures_cells(const struct figures *figures, char (*cells)[TABLE_CELL])
{
    const enum peak_kind kind = workload_peak_kind(&figures->workload);
    int i = 0;

    snprintf(cells[i++], TABLE_CELL, "%.3f", figures->result.seconds * 1e3);
    snprintf(cells[i++], TABLE_CELL, "%.3f", figures->result.matmul_seconds * 1e3);
    snprintf(cells[i++], TABLE_CELL, "%.1f", figures->gflops);
    snprintf(cells[i++], TABLE_CELL, "%.1f %%", 100 * figures->gflops / figures->peak.rate[kind].gflops);
    snprintf(cells[i++], TABLE_CELL, "%s", peak_kind_names[kind]);
    snprintf(cells[i++], TABLE_CELL, "%.2f", figures->gigabytes);
    snprintf(cells[i++], TABLE_CELL, "%.1f %%", 100 * figures->gigabytes / figures->peak.memory.gigabytes);
    return i;
}

void figures_json_shape(struct json *json, const struct workload *workload)
{
    json_whole(json, "rows", workload->s);
    json_whole(json, "k", workload->k);
    json_whole(json, "n", workload->n);
    json_string(json, "dtype", options_choice_name(scenario_names, workload->dtype));
    json_string(json, "scale", workload_scale_name(workload));
    json_whole(json, "group_size", workload->group_size);
}

void figures_json_share(struct json *json, const struct figures *figures)
{
    const enum peak_kind kind = workload_peak_kind(&figures->workload);

    json_number(json, "gflops", figures->gflops);
    json_string(json, "peak_kind", peak_kind_names[kind]);
    json_number(json, "peak_gflops", figures->peak.rate[kind].gflops);
    json_number(json, "peak_share", figures->gflops / figures->peak.rate[kind].gflops);
}
