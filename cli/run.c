/* SPDX-License-Identifier: MIT */
/*
 * run.c - mmarn run: one shape on this machine's processors, timed, checked, and compared with what the machine can do.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "command.h"
#include "measure/form.h"
#include "measure/json.h"
#include "measure/machine.h"
#include "measure/peak.h"
#include "measure/progress.h"
#include "measure/table.h"
#include "measure/workload.h"
#include "measure/workload_job.h"
#include "run_options.h"

/* A step of fewer operations says little about the machine, so its peak need not be measured well either. */
static const double TINY = 1e8;

struct report {
    struct workload workload;
    struct workload_result result;
    struct peak peak;
    char machine[160], shape[96];
    enum peak_kind kind;  /* of the peak that the share is of */
    double gflops, share; /* 1 is all of it */
    bool ok;
};

/* Short, so that it is easy to type again. */
static uint64_t random_seed(void)
{
    uint32_t seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        seed = 1;
    return seed;
}

static void complete(struct report *report)
{
    const struct workload *workload = &report->workload;
    const double operations = workload_operations(workload);

    machine_line(report->machine, sizeof(report->machine));
    snprintf(report->shape, sizeof(report->shape), "%" PRId64 "x%" PRId64 "x%" PRId64 "x%" PRId64, workload->b,
             workload->s, workload->k, workload->n);
    report->gflops = report->result.seconds > 0 ? operations / report->result.seconds * 1e-9 : 0.0;
    report->kind = peak_kind_of(report->result.described.multiply);
    report->share = report->gflops / report->peak.rate[report->kind].gflops;
    report->ok = report->result.ok && report->result.bits_equal;
}

/* The peak of the share, and the peak of fp32, with which every type may be compared. */
static void show_peak(const struct report *report)
{
    const struct peak_rate *rate = &report->peak.rate[report->kind], *fp32 = &report->peak.rate[PEAK_FP32];

    table_pair("peak", "%.1f GFLOP/s in %s (%s, %d at once), %.1f at best; the operator reaches %.1f %%", rate->gflops,
               peak_kind_names[report->kind], rate->level, report->peak.workers, rate->best_gflops,
               100 * report->share);
    if (report->kind != PEAK_FP32)
        table_pair("peak in fp32", "%.1f GFLOP/s (%s)", fp32->gflops, fp32->level);
}

static void show(const struct report *report)
{
    const struct workload *workload = &report->workload;
    const struct workload_result *result = &report->result;
    const struct described *how = &result->described;

    table_pair("machine", "%s", report->machine);
    table_pair("ranks", "%d, with %d thread%s each", workload->ranks, workload->threads,
               workload->threads == 1 ? "" : "s");
    table_pair("kernel", "%s, by multiply-adds in %s; x2 %s", how->kernel, how->multiply, how->layout);
    table_pair("all-reduce", "%s: %s", how->algorithm, how->why);
    table_pair("tiles", "%" PRId64 ", of %" PRId64 " rows and %" PRId64 " columns", how->tiles, how->block_rows,
               how->tile_columns);
    table_pair("shape", "%s (b x s x k x n; k of each rank), %s, numerics %s%s%s", report->shape,
               options_choice_name(scenario_names, workload->dtype),
               options_choice_name(workload_numerics, workload->numerics), workload->bias ? ", bias" : "",
               workload->trans_x2 ? ", x2 transposed" : "");
    if (workload->form != FORM_WHOLE)
        table_pair("form", "%s", options_choice_name(form_names, workload->form));
    if (workload->scale == SCALE_PER_GROUP)
        table_pair("scales", "per-group, of %" PRId64 " rows%s", workload->group_size,
                   workload->offset ? ", with offsets" : "");
    else if (workload->scale != SCALE_NONE)
        table_pair("scales", "%s%s%s", options_choice_name(scale_names, workload->scale),
                   workload->offset ? ", with offsets" : "", workload->per_token ? ", and one for each row of x1" : "");
    table_pair("seed", "%" PRIu64, workload->seed);
    table_pair("time", "%.3f ms, median of %" PRId64, result->seconds * 1e3, result->repeat);
    table_pair("matmul alone", "%.3f ms", result->matmul_seconds * 1e3);
    table_pair("speed", "%.1f GFLOP/s", report->gflops);
    show_peak(report);
    table_pair("error of y", "at most %.3f of its element's bound", result->bound.y);
    table_pair("error of norm_out", "at most %.3f of its element's bound", result->bound.norm);
    table_pair("rows checked", "%" PRId64 " of %" PRId64, result->rows_checked, workload->b * workload->s);
    table_pair("bits equal", "%s", result->bits_equal ? "yes, on all ranks" : "NO");
    table_pair("result", "%s", report->ok ? "ok" : "WRONG");
}

static void show_json(const struct report *report)
{
    const struct workload *workload = &report->workload;
    const struct workload_result *result = &report->result;
    const struct described *how = &result->described;
    struct json json = {stdout, false};

    json_begin_object(&json, NULL);
    json_bool(&json, "ok", report->ok);
    json_whole(&json, "ranks", workload->ranks);
    json_whole(&json, "threads", workload->threads);
    json_string(&json, "shape", report->shape);
    json_string(&json, "dtype", options_choice_name(scenario_names, workload->dtype));
    json_string(&json, "numerics", options_choice_name(workload_numerics, workload->numerics));
    json_string(&json, "transport", workload->transport ? workload->transport : "auto");
    json_string(&json, "form", options_choice_name(form_names, workload->form));
    json_bool(&json, "bias", workload->bias);
    json_bool(&json, "trans_x2", workload->trans_x2);
    json_string(&json, "scale", workload_scale_name(workload));
    json_whole(&json, "group_size", workload->group_size);
    json_bool(&json, "offset", workload->offset);
    json_bool(&json, "per_token", workload->per_token);
    json_unsigned(&json, "seed", workload->seed);
    json_string(&json, "machine", report->machine);
    json_string(&json, "kernel", how->kernel);
    json_string(&json, "multiply", how->multiply);
    json_string(&json, "layout", how->layout);
    json_string(&json, "algorithm", how->algorithm);
    json_string(&json, "why", how->why);
    json_whole(&json, "block_rows", how->block_rows);
    json_whole(&json, "tile_columns", how->tile_columns);
    json_whole(&json, "tiles", how->tiles);
    json_whole(&json, "repeat", result->repeat);
    json_number(&json, "time_ms", result->seconds * 1e3);
    json_number(&json, "matmul_ms", result->matmul_seconds * 1e3);
    json_number(&json, "gflops", report->gflops);
    json_string(&json, "peak_kind", peak_kind_names[report->kind]);
    json_number(&json, "peak_gflops", report->peak.rate[report->kind].gflops);
    json_number(&json, "peak_share", report->share);
    json_number(&json, "fp32_peak_gflops", report->peak.rate[PEAK_FP32].gflops);
    json_number(&json, "bound_ratio_y", result->bound.y);
    json_number(&json, "bound_ratio_norm", result->bound.norm);
    json_whole(&json, "rows_checked", result->rows_checked);
    json_bool(&json, "bits_equal", result->bits_equal);
    json_end_object(&json);
    putchar('\n');
}

int command_run(int argc, char **argv)
{
    struct report report = {.workload = {.command = "run",
                                         .ranks = 8,
                                         .b = 4,
                                         .s = 1024,
                                         .k = 1024,
                                         .n = 8192,
                                         .dtype = SCENARIO_F16,
                                         .operators = 1,
                                         .least = 3,
                                         .seconds = 2.0,
                                         .seed = random_seed(),
                                         .check = true}};
    bool as_json = false;
    int status = run_options_parse(argc, argv, &report.workload, &as_json);

    if (status != OPTIONS_PROCEED)
        return status;
    progress_show("measuring the processors' peak");
    if (!peak_measure(workload_workers(&report.workload), workload_operations(&report.workload) < TINY ? PEAK_BRIEF : 0,
                      &report.peak)) {
        progress_clear();
        fprintf(stderr, "mmarn run: the processors' peak cannot be measured: %s\n", strerror(errno));
        return EXIT_RUNTIME;
    }
    status = workload_run(&report.workload, &report.result);
    if (status != EXIT_OK)
        return status;
    complete(&report);
    if (as_json)
        show_json(&report);
    else
        show(&report);
    return report.ok ? EXIT_OK : EXIT_WRONG;
}
