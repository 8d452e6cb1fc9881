/* SPDX-License-Identifier: MIT */
/*
 * report.c - see report.h. Each share of a ceiling is next to its figure. On top of measure/table.h and measure/json.h.
 */
#include "report.h"

#include <stdio.h>

#include "measure/data.h"
#include "measure/figures.h"
#include "measure/machine.h"
#include "measure/table.h"

static const struct table_column columns[] = {
    {"rows", 5, 0},    {"dtype", 9, 1},   {"copies", 6, 0}, {"repeats", 7, 0}, {"time ms", 9, 0}, {"matmul ms", 9, 0},
    {"GFLOP/s", 8, 0}, {"of peak", 7, 0}, {"kind", 4, 1},   {"GB/s", 7, 0},    {"of read", 7, 0}, {NULL, 0, 0},
};

enum { DURATION = 32 };

static const char *duration(double seconds, char text[DURATION])
{
    const int minutes = (int)(seconds / 60 + 0.5);

    if (seconds < 90)
        snprintf(text, DURATION, "%.0f s", seconds);
    else if (minutes < 90)
        snprintf(text, DURATION, "%d min", minutes);
    else
        snprintf(text, DURATION, "%d h %02d min", minutes / 60, minutes % 60);
    return text;
}

void report_begin(struct report *report, const struct peak *peak, const struct report_progress *run,
                  const struct report_progress *full)
{
    struct json *json = &report->json;
    char text[DURATION];

    figures_show_ceilings(peak);
    table_pair("this run", "%d cases, about %s on a quiet machine", run->count, duration(run->expected, text));
    table_pair("a full run", "%d cases, about %s on a quiet machine", full->count, duration(full->expected, text));
    fflush(stdout);
    if (json->out == NULL)
        return;
    json_begin_object(json, NULL);
    figures_json_machine(json, peak);
    json_number(json, "expected_seconds", run->expected);
    json_number(json, "full_run_seconds", full->expected);
    json_begin_array(json, "cases");
}

void report_block(const struct layer_case *first, const struct peak *peak, const struct report_progress *run)
{
    const struct workload *workload = &first->workload;
    char text[DURATION];

    printf("\n%s, TP %d, %s: k %lld, n %lld. Done %d of %d, about %s left.\n", first->model, workload->ranks,
           first->call, (long long)workload->k, (long long)workload->n, run->done, run->count,
           duration(run->left, text));
    printf("Ceilings: %.1f GB/s; GFLOP/s", peak->memory.gigabytes);
    for (int kind = 0; kind < PEAK_KINDS; kind++)
        if (peak->rate[kind].level != NULL)
            printf("%s %.1f in %s", kind > 0 ? "," : "", peak->rate[kind].gflops, peak_kind_names[kind]);
    puts(".");
    table_header(columns);
}

static void show_row(const struct figures *figures)
{
    const struct workload *workload = &figures->workload;
    char cells[sizeof(columns) / sizeof(columns[0])][TABLE_CELL];
    int i = 0;

    snprintf(cells[i++], TABLE_CELL, "%lld", (long long)workload->s);
    snprintf(cells[i++], TABLE_CELL, "%s", options_choice_name(scenario_names, workload->dtype));
    snprintf(cells[i++], TABLE_CELL, "%d", workload->operators);
    snprintf(cells[i++], TABLE_CELL, "%lld", (long long)figures->result.repeat);
    i += figures_cells(figures, &cells[i]);
    table_row(columns, cells);
}

/* The members that identify the case. */
static void begin_case(struct json *json, const struct layer_case *one)
{
    const struct workload *workload = &one->workload;

    json_begin_object(json, NULL);
    json_string(json, "model", one->model);
    json_whole(json, "tp", workload->ranks);
    json_string(json, "call", one->call);
    figures_json_shape(json, workload);
    json_whole(json, "threads", workload->threads);
    json_whole(json, "operators", workload->operators);
}

void report_case(struct report *report, const struct layer_case *one, const struct workload_result *result,
                 const struct peak *peak)
{
    const struct workload *workload = &one->workload;
    const double operations = workload_operations(workload), bytes = case_moved_bytes(workload);
    struct json *json = &report->json;
    struct figures figures = {.workload = *workload, .result = *result};

    figures_set(&figures, peak, bytes);
    show_row(&figures);
    if (json->out == NULL)
        return;
    begin_case(json, one);
    json_whole(json, "repeat", result->repeat);
    json_number(json, "time_ms", result->seconds * 1e3);
    json_number(json, "matmul_ms", result->matmul_seconds * 1e3);
    json_number(json, "operations", operations);
    json_number(json, "weight_bytes", data_weight_bytes(workload) * workload->ranks);
    json_number(json, "moved_bytes", bytes);
    figures_json_share(json, &figures);
    json_number(json, "moved_gbs", figures.gigabytes);
    json_number(json, "read_gbs", peak->memory.gigabytes);
    json_number(json, "read_share", figures.gigabytes / peak->memory.gigabytes);
    json_bool(json, "bits_equal", result->bits_equal);
    json_end_object(json);
    fflush(json->out);
}

void report_skipped(struct report *report, const struct layer_case *one, const char *reason)
{
    printf("%5lld %-9s skipped: %s\n", (long long)one->workload.s,
           options_choice_name(scenario_names, one->workload.dtype), reason);
    fflush(stdout);
    if (report->json.out == NULL)
        return;
    begin_case(&report->json, one);
    json_string(&report->json, "skipped", reason);
    json_end_object(&report->json);
}

void report_end(struct report *report, bool ok)
{
    if (report->json.out == NULL)
        return;
    json_end_array(&report->json);
    json_bool(&report->json, "ok", ok);
    json_end_object(&report->json);
    fputc('\n', report->json.out);
}
