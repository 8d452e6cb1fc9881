/*
 * report.c - see report.h. Shares of the ceilings stand next to the figures that they belong to.
 */
#include "report.h"

#include <math.h>
#include <stdio.h>

#include "data.h"
#include "machine.h"
#include "options.h"
#include "table.h"

static const struct table_column columns[] = {
    {"case", 8, 1},    {"rows", 5, 0},    {"k", 5, 0},         {"n", 5, 0},       {"dtype", 9, 1},   {"ranks", 5, 0},
    {"threads", 7, 0}, {"time ms", 9, 0}, {"matmul ms", 9, 0}, {"GFLOP/s", 8, 0}, {"of peak", 7, 0}, {"kind", 4, 1},
    {"GB/s", 7, 0},    {"of read", 7, 0}, {"to f16", 7, 0},    {NULL, 0, 0},
};

/* The machine and the library's matmul kernel, as both forms of a report name them. */
struct names {
    char machine[160], kernel[64];
};

static void find_names(struct names *names)
{
    machine_line(names->machine, sizeof(names->machine));
    machine_library_value("gemm kernel", names->kernel, sizeof(names->kernel));
}

void bench_report_ceilings(const struct peak *peak)
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
    table_pair("reading", "%.1f GB/s, %.1f at best", peak->gigabytes, peak->best_gigabytes);
}

void bench_report_machine(struct json *json, const struct peak *peak)
{
    struct names names;

    find_names(&names);
    json_string(json, "machine", names.machine);
    json_string(json, "kernel", names.kernel);
    json_string(json, "peak_kind", peak_kind_names[PEAK_FP32]);
    json_number(json, "best_peak_gflops", peak->rate[PEAK_FP32].best_gflops);
    json_number(json, "best_read_gbs", peak->best_gigabytes);
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

void bench_report_begin(struct bench_report *report, const struct peak *peak)
{
    struct json *json = &report->json;

    if (report->as_json) {
        json_begin_object(json, NULL);
        bench_report_machine(json, peak);
        json_number(json, "peak_gflops", peak->rate[PEAK_FP32].gflops);
        json_number(json, "read_gbs", peak->gigabytes);
        json_begin_array(json, "cases");
        return;
    }
    bench_report_ceilings(peak);
    table_pair("to f16", "f16's time for the same case / the time; types of a case take turns");
    putchar('\n');
    table_header(columns);
}

int bench_report_figures(const struct bench_line *line, char (*cells)[TABLE_CELL])
{
    const enum peak_kind kind = workload_peak_kind(&line->workload);
    int i = 0;

    snprintf(cells[i++], TABLE_CELL, "%.3f", line->result.seconds * 1e3);
    snprintf(cells[i++], TABLE_CELL, "%.3f", line->result.matmul_seconds * 1e3);
    snprintf(cells[i++], TABLE_CELL, "%.1f", line->gflops);
    snprintf(cells[i++], TABLE_CELL, "%.1f %%", 100 * line->gflops / line->peak.rate[kind].gflops);
    snprintf(cells[i++], TABLE_CELL, "%s", peak_kind_names[kind]);
    snprintf(cells[i++], TABLE_CELL, "%.2f", line->gigabytes);
    snprintf(cells[i++], TABLE_CELL, "%.1f %%", 100 * line->gigabytes / line->peak.gigabytes);
    return i;
}

void bench_report_shape(struct json *json, const struct workload *workload)
{
    json_whole(json, "rows", workload->s);
    json_whole(json, "k", workload->k);
    json_whole(json, "n", workload->n);
    json_string(json, "dtype", options_choice_name(scenario_names, workload->dtype));
    json_string(json, "scale", workload_scale_name(workload));
    json_whole(json, "group_size", workload->group_size);
}

void bench_report_share(struct json *json, const struct bench_line *line)
{
    const enum peak_kind kind = workload_peak_kind(&line->workload);

    json_number(json, "gflops", line->gflops);
    json_string(json, "peak_kind", peak_kind_names[kind]);
    json_number(json, "peak_gflops", line->peak.rate[kind].gflops);
    json_number(json, "peak_share", line->gflops / line->peak.rate[kind].gflops);
}

static void show_row(const struct bench_line *line)
{
    const struct workload *workload = &line->workload;
    char cells[sizeof(columns) / sizeof(columns[0])][TABLE_CELL];
    int i = 0;

    snprintf(cells[i++], TABLE_CELL, "%s", line->name);
    snprintf(cells[i++], TABLE_CELL, "%lld", (long long)workload->s);
    snprintf(cells[i++], TABLE_CELL, "%lld", (long long)workload->k);
    snprintf(cells[i++], TABLE_CELL, "%lld", (long long)workload->n);
    snprintf(cells[i++], TABLE_CELL, "%s", options_choice_name(scenario_names, workload->dtype));
    snprintf(cells[i++], TABLE_CELL, "%d", workload->ranks);
    snprintf(cells[i++], TABLE_CELL, "%d", workload->threads);
    i += bench_report_figures(line, &cells[i]);
    if (isnan(line->f16_ratio))
        snprintf(cells[i++], TABLE_CELL, "-");
    else
        snprintf(cells[i++], TABLE_CELL, "%.2f", line->f16_ratio);
    table_row(columns, cells);
}

static void show_object(struct json *json, const struct bench_line *line)
{
    const struct workload *workload = &line->workload;

    json_begin_object(json, NULL);
    json_string(json, "case", line->name);
    bench_report_shape(json, workload);
    json_whole(json, "ranks", workload->ranks);
    json_whole(json, "threads", workload->threads);
    json_whole(json, "operators", workload->operators);
    json_whole(json, "repeat", line->result.repeat);
    json_number(json, "time_ms", line->result.seconds * 1e3);
    json_number(json, "matmul_ms", line->result.matmul_seconds * 1e3);
    bench_report_share(json, line);
    json_number(json, "weight_bytes", data_weight_bytes(workload) * workload->ranks);
    json_number(json, "weights_gbs", line->gigabytes);
    json_number(json, "read_gbs", line->peak.gigabytes);
    json_number(json, "read_share", line->gigabytes / line->peak.gigabytes);
    json_number(json, "f16_ratio", line->f16_ratio);
    json_bool(json, "bits_equal", line->result.bits_equal);
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
