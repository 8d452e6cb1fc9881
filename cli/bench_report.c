/* SPDX-License-Identifier: MIT */
/* bench_report.c - see bench_report.h. */
#include "bench_report.h"

#include <math.h>
#include <stdio.h>

#include "measure/data.h"
#include "measure/options.h"

static const struct table_column columns[] = {
    {"case", 8, 1},    {"rows", 5, 0},    {"k", 5, 0},         {"n", 5, 0},       {"dtype", 9, 1},   {"ranks", 5, 0},
    {"threads", 7, 0}, {"time ms", 9, 0}, {"matmul ms", 9, 0}, {"GFLOP/s", 8, 0}, {"of peak", 7, 0}, {"kind", 4, 1},
    {"GB/s", 7, 0},    {"of read", 7, 0}, {"to f16", 7, 0},    {NULL, 0, 0},
};

void bench_report_begin(struct bench_report *report, const struct peak *peak)
{
    struct json *json = &report->json;

    if (report->as_json) {
        json_begin_object(json, NULL);
        figures_json_machine(json, peak);
        json_number(json, "peak_gflops", peak->rate[PEAK_FP32].gflops);
        json_number(json, "read_gbs", peak->memory.gigabytes);
        json_begin_array(json, "cases");
        return;
    }
    figures_show_ceilings(peak);
    table_pair("to f16", "f16's time for the same case / the time; types of a case take turns");
    putchar('\n');
    table_header(columns);
}

static void show_row(const struct bench_line *line)
{
    const struct figures *figures = &line->figures;
    const struct workload *workload = &figures->workload;
    char cells[sizeof(columns) / sizeof(columns[0])][TABLE_CELL];
    int i = 0;

    snprintf(cells[i++], TABLE_CELL, "%s", line->name);
    snprintf(cells[i++], TABLE_CELL, "%lld", (long long)workload->s);
    snprintf(cells[i++], TABLE_CELL, "%lld", (long long)workload->k);
    snprintf(cells[i++], TABLE_CELL, "%lld", (long long)workload->n);
    snprintf(cells[i++], TABLE_CELL, "%s", options_choice_name(scenario_names, workload->dtype));
    snprintf(cells[i++], TABLE_CELL, "%d", workload->ranks);
    snprintf(cells[i++], TABLE_CELL, "%d", workload->threads);
    i += figures_cells(figures, &cells[i]);
    if (isnan(line->f16_ratio))
        snprintf(cells[i++], TABLE_CELL, "-");
    else
        snprintf(cells[i++], TABLE_CELL, "%.2f", line->f16_ratio);
    table_row(columns, cells);
}

static void show_object(struct json *json, const struct bench_line *line)
{
    const struct figures *figures = &line->figures;
    const struct workload *workload = &figures->workload;

    json_begin_object(json, NULL);
    json_string(json, "case", line->name);
    figures_json_shape(json, workload);
    json_whole(json, "ranks", workload->ranks);
    json_whole(json, "threads", workload->threads);
    json_whole(json, "operators", workload->operators);
    json_whole(json, "repeat", figures->result.repeat);
    json_number(json, "time_ms", figures->result.seconds * 1e3);
    json_number(json, "matmul_ms", figures->result.matmul_seconds * 1e3);
    figures_json_share(json, figures);
    json_number(json, "weight_bytes", data_weight_bytes(workload) * workload->ranks);
    json_number(json, "weights_gbs", figures->gigabytes);
    json_number(json, "read_gbs", figures->peak.memory.gigabytes);
    json_number(json, "read_share", figures->gigabytes / figures->peak.memory.gigabytes);
    json_number(json, "f16_ratio", line->f16_ratio);
    json_bool(json, "bits_equal", figures->result.bits_equal);
    json_end_object(json);
}

void bench_report_line(struct bench_report *report, const struct bench_line *line)
{
    if (report->as_json)
        show_object(&report->json, line);
    else
        show_row(line);
}

void bench_report_end(struct bench_report *report, bool ok)
{
    if (!report->as_json)
        return;
    json_end_array(&report->json);
    json_bool(&report->json, "ok", ok);
    json_end_object(&report->json);
    putchar('\n');
}
