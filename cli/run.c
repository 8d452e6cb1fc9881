/*
 * run.c - mmarn run: one shape on this machine's processors, timed, checked, and set against what the machine can do.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "command.h"
#include "job.h"
#include "json.h"
#include "machine.h"
#include "options.h"
#include "peak.h"
#include "progress.h"
#include "table.h"
#include "workload.h"

/* Elements of the largest tensor that --shape may ask for; more than memory holds is found out later. */
static const int64_t MOST_ELEMENTS = (int64_t)1 << 40;

struct report {
    struct workload workload;
    struct workload_result result;
    struct peak peak;
    char machine[160], kernel[64], shape[96];
    double gflops, share; /* share of the peak: 1 is all of it */
    bool ok;
};

/* Short, so that it is easily typed again. */
static uint64_t random_seed(void)
{
    uint32_t seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        seed = 1;
    return seed;
}

static int parse(int argc, char **argv, struct workload *workload, bool *as_json)
{
    int64_t ranks = workload->ranks, threads = 0, shape[4];
    const struct option_spec options[] = {
        {"ranks", 'n', OPTION_WHOLE, &ranks, 1, MMARN_MAX_RANKS, NULL, "N", "processes (default 8)"},
        {"shape", 's', OPTION_SHAPE, shape, 0, MOST_ELEMENTS, NULL, "BxSxKxN",
         "sizes; k is each rank's (default 4x1024x1024x8192)"},
        {"dtype", 'd', OPTION_CHOICE, &workload->dtype, 0, 0, workload_dtypes, "TYPE",
         "f16, bf16 or f32 (default f16)"},
        {"threads", 't', OPTION_WHOLE, &threads, 1, 4096, NULL, "T",
         "threads of each rank (default: processors / ranks, at least 1)"},
        {"repeat", 'r', OPTION_WHOLE, &workload->repeat, 1, JOB_MAX_REPEAT, NULL, "R",
         "timed steps (default: as many as take seconds, at least 3)"},
        {"seed", 0, OPTION_SEED, &workload->seed, 0, 0, NULL, "SEED", "of the random data (default: a random one)"},
        {"bias", 0, OPTION_FLAG, &workload->bias, 0, 0, NULL, NULL, "every rank adds a bias of its own"},
        {"trans-x2", 0, OPTION_FLAG, &workload->trans_x2, 0, 0, NULL, NULL, "x2 is an (n, k) array, seen transposed"},
        {"numerics", 0, OPTION_CHOICE, &workload->numerics, 0, 0, workload_numerics, "MODE",
         "default, ascend or fp32 (default default)"},
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
    return status;
}

static void complete(struct report *report)
{
    const struct workload *workload = &report->workload;
    const double operations = workload_operations(workload);

    machine_line(report->machine, sizeof(report->machine));
    machine_library_value("gemm kernel", report->kernel, sizeof(report->kernel));
    snprintf(report->shape, sizeof(report->shape), "%" PRId64 "x%" PRId64 "x%" PRId64 "x%" PRId64, workload->b,
             workload->s, workload->k, workload->n);
    report->gflops = report->result.seconds > 0 ? operations / report->result.seconds * 1e-9 : 0.0;
    report->share = report->peak.gflops > 0 ? report->gflops / report->peak.gflops : 0.0;
    report->ok = report->result.ok && report->result.bits_equal;
}

static void show_error(const char *name, const struct bound_error *error)
{
    table_pair(name, "at most %.3f ulp; nearest to its bound: %.0f %% of %.3f ulp", error->max_ulp, 100 * error->ratio,
               error->bound_ulp);
}

static void show(const struct report *report)
{
    const struct workload *workload = &report->workload;
    const struct workload_result *result = &report->result;

    table_pair("machine", "%s", report->machine);
    table_pair("ranks", "%d, with %d thread%s each", workload->ranks, workload->threads,
               workload->threads == 1 ? "" : "s");
    table_pair("kernel", "%s", report->kernel);
    table_pair("shape", "%s (b x s x k x n; k of each rank), %s, numerics %s%s%s", report->shape,
               options_choice_name(workload_dtypes, workload->dtype),
               options_choice_name(workload_numerics, workload->numerics), workload->bias ? ", bias" : "",
               workload->trans_x2 ? ", x2 transposed" : "");
    table_pair("seed", "%" PRIu64, workload->seed);
    table_pair("time", "%.3f ms, median of %" PRId64, result->seconds * 1e3, result->repeat);
    table_pair("matmul alone", "%.3f ms", result->matmul_seconds * 1e3);
    table_pair("speed", "%.1f GFLOP/s", report->gflops);
    table_pair("peak", "%.1f GFLOP/s in fp32 (%s, %d at once); the operator reaches %.1f %%", report->peak.gflops,
               report->peak.level, report->peak.workers, 100 * report->share);
    show_error("error of y", &result->bound.y);
    show_error("error of norm_out", &result->bound.norm);
    table_pair("rows checked", "%" PRId64 " of %" PRId64, result->rows_checked, workload->b * workload->s);
    table_pair("bits equal", "%s", result->bits_equal ? "yes, on all ranks" : "NO");
    table_pair("result", "%s", report->ok ? "ok" : "WRONG");
}

static void show_json(const struct report *report)
{
    const struct workload *workload = &report->workload;
    const struct workload_result *result = &report->result;
    struct json json = {stdout, false};

    json_begin_object(&json, NULL);
    json_bool(&json, "ok", report->ok);
    json_whole(&json, "ranks", workload->ranks);
    json_whole(&json, "threads", workload->threads);
    json_string(&json, "shape", report->shape);
    json_string(&json, "dtype", options_choice_name(workload_dtypes, workload->dtype));
    json_string(&json, "numerics", options_choice_name(workload_numerics, workload->numerics));
    json_bool(&json, "bias", workload->bias);
    json_bool(&json, "trans_x2", workload->trans_x2);
    json_unsigned(&json, "seed", workload->seed);
    json_string(&json, "machine", report->machine);
    json_string(&json, "kernel", report->kernel);
    json_whole(&json, "repeat", result->repeat);
    json_number(&json, "time_ms", result->seconds * 1e3);
    json_number(&json, "matmul_ms", result->matmul_seconds * 1e3);
    json_number(&json, "gflops", report->gflops);
    json_number(&json, "peak_gflops", report->peak.gflops);
    json_number(&json, "peak_share", report->share);
    json_number(&json, "max_ulp_y", result->bound.y.max_ulp);
    json_number(&json, "bound_ulp_y", result->bound.y.bound_ulp);
    json_number(&json, "bound_ratio_y", result->bound.y.ratio);
    json_number(&json, "max_ulp_norm", result->bound.norm.max_ulp);
    json_number(&json, "bound_ulp_norm", result->bound.norm.bound_ulp);
    json_number(&json, "bound_ratio_norm", result->bound.norm.ratio);
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
                                         .dtype = MMARN_F16,
                                         .operators = 1,
                                         .seconds = 2.0,
                                         .seed = random_seed(),
                                         .check = true}};
    bool as_json = false;
    int status = parse(argc, argv, &report.workload, &as_json);

    if (status != OPTIONS_PROCEED)
        return status;
    progress_show("measuring the processors' peak");
    if (!peak_measure(workload_workers(&report.workload), false, &report.peak)) {
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
