/* SPDX-License-Identifier: MIT */
/* bench_report.c - see bench_report.h. */
#include "bench_report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measure/data.h"
#include "measure/options.h"

/* The last two only if the report compares. */
static const struct table_column columns[] = {
    {"case", 8, 1},        {"rows", 5, 0},    {"k", 5, 0},       {"n", 5, 0},         {"dtype", 9, 1},
    {"ranks", 5, 0},       {"threads", 7, 0}, {"time ms", 9, 0}, {"matmul ms", 9, 0}, {"GFLOP/s", 8, 0},
    {"of peak", 7, 0},     {"kind", 4, 1},    {"GB/s", 7, 0},    {"of read", 7, 0},   {"to f16", 7, 0},
    {"to earlier", 10, 0}, {"rounds", 11, 0}, {NULL, 0, 0},
};
enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) - 1, COMPARING = 2 };

/* Without the columns of a comparison, if there is none. */
static void find_columns(const struct bench_report *report, struct table_column *found)
{
    memcpy(found, columns, sizeof(columns));
    if (!report->compares)
        found[COLUMNS - COMPARING].title = NULL;
}

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
    if (report->compares)
        table_pair("to earlier",
                   "the earlier report's time / the time; rounds: the same for the rounds furthest apart");
    putchar('\n');
    struct table_column found[COLUMNS + 1];
    find_columns(report, found);
    table_header(found);
}

/* Two decimals, or a dash for a figure that there is not. */
static void show_ratio(char *cell, double ratio)
{
    if (isnan(ratio))
        snprintf(cell, TABLE_CELL, "-");
    else
        snprintf(cell, TABLE_CELL, "%.2f", ratio);
}

static void show_row(const struct bench_report *report, const struct bench_line *line)
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
    show_ratio(cells[i++], line->f16_ratio);
    show_ratio(cells[i++], line->old.ratio);
    if (isnan(line->old.least))
        show_ratio(cells[i++], NAN);
    else
        snprintf(cells[i++], TABLE_CELL, "%.2f..%.2f", line->old.least, line->old.most);
    struct table_column found[COLUMNS + 1];
    find_columns(report, found);
    table_row(found, cells);
}

static void show_comparison(struct json *json, const struct bench_ratio *old)
{
    json_begin_object(json, "compared");
    json_number(json, "time_ms", old->old_seconds * 1e3);
    json_number(json, "ratio", old->ratio);
    json_number(json, "ratio_least", old->least);
    json_number(json, "ratio_most", old->most);
    json_end_object(json);
}

static void show_object(const struct bench_report *report, struct json *json, const struct bench_line *line)
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
    json_number(json, "time_ms_least", figures->result.least_seconds * 1e3);
    json_number(json, "time_ms_most", figures->result.most_seconds * 1e3);
    json_number(json, "matmul_ms", figures->result.matmul_seconds * 1e3);
    figures_json_share(json, figures);
    json_number(json, "weight_bytes", data_weight_bytes(workload) * workload->ranks);
    json_number(json, "weights_gbs", figures->gigabytes);
    json_number(json, "read_gbs", figures->peak.memory.gigabytes);
    json_number(json, "read_share", figures->gigabytes / figures->peak.memory.gigabytes);
    json_number(json, "f16_ratio", line->f16_ratio);
    json_bool(json, "bits_equal", figures->result.bits_equal);
    if (report->compares)
        show_comparison(json, &line->old);
    json_end_object(json);
}

void bench_report_line(struct bench_report *report, const struct bench_line *line)
{
    if (report->compares && !isnan(line->old.ratio)) {
        report->compared++;
        report->log_ratios += log(line->old.ratio);
    }
    if (report->as_json)
        show_object(report, &report->json, line);
    else
        show_row(report, line);
}

static void show_mean(struct bench_report *report)
{
    const double mean = report->compared > 0 ? exp(report->log_ratios / report->compared) : (double)NAN;
    if (report->as_json) {
        json_whole(&report->json, "compared_cases", report->compared);
        json_number(&report->json, "compared_mean", mean);
    } else {
        char cell[TABLE_CELL];
        show_ratio(cell, mean);
        table_pair("to earlier", "%s, geometric mean of %d cases", cell, report->compared);
    }
}

void bench_report_end(struct bench_report *report, bool ok)
{
    if (report->as_json)
        json_end_array(&report->json);
    else if (report->compares)
        putchar('\n');
    if (report->compares)
        show_mean(report);
    if (!report->as_json)
        return;
    json_bool(&report->json, "ok", ok);
    json_end_object(&report->json);
    putchar('\n');
}
