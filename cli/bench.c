/*
 * bench.c - mmarn bench: a fixed set of cases, each set against the machine's two ceilings measured in the same run.
 * Prefill is bound by multiply-adds. Decode is bound by reading weights: its cases use as many operators in turn as
 * make their weights outgrow the last-level cache, as the layers of a model do.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "command.h"
#include "json.h"
#include "machine.h"
#include "options.h"
#include "peak.h"
#include "progress.h"
#include "reference/halffloat.h"
#include "table.h"
#include "workload.h"

struct bench_case {
    const char *name;
    int ranks;
    int64_t rows, k, n; /* k of each rank */
    bool decode;
};

/* The prefill cases on 2 and on 8 ranks have the same k in total. */
static const struct bench_case cases[] = {
    {"prefill", 1, 512, 1024, 8192, false}, {"prefill", 2, 512, 1024, 8192, false},
    {"prefill", 8, 512, 256, 8192, false},  {"decode", 2, 1, 2048, 4096, true},
    {"decode", 2, 4, 2048, 4096, true},
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static const struct table_column columns[] = {
    {"case", 8, 1},    {"rows", 5, 0},    {"k", 5, 0},       {"n", 5, 0},         {"dtype", 5, 1},
    {"ranks", 5, 0},   {"threads", 7, 0}, {"time ms", 9, 0}, {"matmul ms", 9, 0}, {"GFLOP/s", 8, 0},
    {"of peak", 7, 0}, {"GB/s", 7, 0},    {"of read", 7, 0}, {NULL, 0, 0},
};

struct bench {
    struct peak peak; /* for the number of workers of the last case */
    struct json json;
    bool as_json;
    double seconds; /* for each timing */
    bool ok;
};

struct line {
    const struct bench_case *one;
    struct workload workload;
    struct workload_result result;
    double gflops, gigabytes; /* per second; gigabytes of weights */
    struct peak peak;
};

static int measure_peak(struct bench *bench, int workers)
{
    if (workers > cpu_count())
        workers = cpu_count();
    if (workers == bench->peak.workers)
        return EXIT_OK;
    progress_show("measuring the ceilings");
    if (!peak_measure(workers, true, &bench->peak)) {
        progress_clear();
        fprintf(stderr, "mmarn bench: the machine's ceilings cannot be measured: %s\n", strerror(errno));
        return errno == EINTR ? 128 + 2 : EXIT_RUNTIME;
    }
    progress_clear();
    return EXIT_OK;
}

/* So many that their weights on all ranks together are twice the last-level cache, and 128 MiB at least. */
static int rotating_operators(const struct bench_case *one, int dtype)
{
    const int64_t each = one->ranks * one->k * one->n * (int64_t)halffloat_size(dtype);
    int64_t wanted = 2 * machine_last_level_cache();
    if (wanted < (int64_t)128 << 20)
        wanted = (int64_t)128 << 20;
    return one->decode ? (int)((wanted + each - 1) / each) : 1;
}

static void show_header(const struct bench *bench, const char *machine, const char *kernel)
{
    table_pair("machine", "%s", machine);
    table_pair("kernel", "%s", kernel);
    table_pair("peak", "%.1f GFLOP/s in fp32 (%s, %d at once)", bench->peak.gflops, bench->peak.level,
               bench->peak.workers);
    table_pair("reading", "%.1f GB/s", bench->peak.gigabytes);
    putchar('\n');
    table_header(columns);
}

static void begin_json(struct bench *bench, const char *machine, const char *kernel)
{
    json_begin_object(&bench->json, NULL);
    json_string(&bench->json, "machine", machine);
    json_string(&bench->json, "kernel", kernel);
    json_number(&bench->json, "peak_gflops", bench->peak.gflops);
    json_number(&bench->json, "read_gbs", bench->peak.gigabytes);
    json_begin_array(&bench->json, "cases");
}

static void show_line(const struct line *line)
{
    const struct workload *workload = &line->workload;
    char cells[sizeof(columns) / sizeof(columns[0])][TABLE_CELL];
    int i = 0;

    snprintf(cells[i++], TABLE_CELL, "%s", line->one->name);
    snprintf(cells[i++], TABLE_CELL, "%lld", (long long)workload->s);
    snprintf(cells[i++], TABLE_CELL, "%lld", (long long)workload->k);
    snprintf(cells[i++], TABLE_CELL, "%lld", (long long)workload->n);
    snprintf(cells[i++], TABLE_CELL, "%s", options_choice_name(workload_dtypes, workload->dtype));
    snprintf(cells[i++], TABLE_CELL, "%d", workload->ranks);
    snprintf(cells[i++], TABLE_CELL, "%d", workload->threads);
    snprintf(cells[i++], TABLE_CELL, "%.3f", line->result.seconds * 1e3);
    snprintf(cells[i++], TABLE_CELL, "%.3f", line->result.matmul_seconds * 1e3);
    snprintf(cells[i++], TABLE_CELL, "%.1f", line->gflops);
    snprintf(cells[i++], TABLE_CELL, "%.1f %%", 100 * line->gflops / line->peak.gflops);
    snprintf(cells[i++], TABLE_CELL, "%.2f", line->gigabytes);
    snprintf(cells[i++], TABLE_CELL, "%.1f %%", 100 * line->gigabytes / line->peak.gigabytes);
    table_row(columns, cells);
}

static void show_json_line(struct json *json, const struct line *line)
{
    const struct workload *workload = &line->workload;

    json_begin_object(json, NULL);
    json_string(json, "case", line->one->name);
    json_whole(json, "rows", workload->s);
    json_whole(json, "k", workload->k);
    json_whole(json, "n", workload->n);
    json_string(json, "dtype", options_choice_name(workload_dtypes, workload->dtype));
    json_whole(json, "ranks", workload->ranks);
    json_whole(json, "threads", workload->threads);
    json_whole(json, "operators", workload->operators);
    json_whole(json, "repeat", line->result.repeat);
    json_number(json, "time_ms", line->result.seconds * 1e3);
    json_number(json, "matmul_ms", line->result.matmul_seconds * 1e3);
    json_number(json, "gflops", line->gflops);
    json_number(json, "peak_gflops", line->peak.gflops);
    json_number(json, "peak_share", line->gflops / line->peak.gflops);
    json_number(json, "weights_gbs", line->gigabytes);
    json_number(json, "read_gbs", line->peak.gigabytes);
    json_number(json, "read_share", line->gigabytes / line->peak.gigabytes);
    json_bool(json, "bits_equal", line->result.bits_equal);
    json_end_object(json);
}

static int run_case(struct bench *bench, const struct bench_case *one, int dtype)
{
    struct line line = {.one = one,
                        .workload = {.command = "bench",
                                     .ranks = one->ranks,
                                     .threads = workload_default_threads(one->ranks),
                                     .b = 1,
                                     .s = one->rows,
                                     .k = one->k,
                                     .n = one->n,
                                     .dtype = dtype,
                                     .operators = rotating_operators(one, dtype),
                                     .seconds = bench->seconds,
                                     .seed = 1}};
    int status = measure_peak(bench, workload_workers(&line.workload));

    if (status == EXIT_OK)
        status = workload_run(&line.workload, &line.result);
    if (status != EXIT_OK)
        return status;
    line.peak = bench->peak;
    line.gflops = workload_operations(&line.workload) / line.result.seconds * 1e-9;
    line.gigabytes =
        (double)(one->ranks * one->k * one->n) * (double)halffloat_size(dtype) / line.result.seconds * 1e-9;
    bench->ok = bench->ok && line.result.bits_equal;
    if (bench->as_json)
        show_json_line(&bench->json, &line);
    else
        show_line(&line);
    return EXIT_OK;
}

static int run_all(struct bench *bench, int only_dtype)
{
    char machine[160], kernel[64];
    int status = measure_peak(bench, cpu_count());

    if (status != EXIT_OK)
        return status;
    machine_line(machine, sizeof(machine));
    machine_library_value("gemm kernel", kernel, sizeof(kernel));
    if (bench->as_json)
        begin_json(bench, machine, kernel);
    else
        show_header(bench, machine, kernel);
    for (const struct option_choice *dtype = workload_dtypes; dtype->name != NULL; dtype++)
        for (int i = 0; i < CASES; i++) {
            if (only_dtype != 0 && only_dtype != dtype->value)
                continue;
            status = run_case(bench, &cases[i], dtype->value);
            if (status != EXIT_OK)
                return status;
        }
    if (bench->as_json) {
        json_end_array(&bench->json);
        json_bool(&bench->json, "ok", bench->ok);
        json_end_object(&bench->json);
        putchar('\n');
    }
    if (!bench->ok)
        fputs("mmarn bench: the ranks' results differ\n", stderr);
    return bench->ok ? EXIT_OK : EXIT_WRONG;
}

int command_bench(int argc, char **argv)
{
    struct bench bench = {.json = {stdout, false}, .ok = true};
    bool quick = false;
    int dtype = 0;
    const struct option_spec options[] = {
        {"quick", 'q', OPTION_FLAG, &quick, 0, 0, NULL, NULL, "time each case for a shorter while"},
        {"dtype", 'd', OPTION_CHOICE, &dtype, 0, 0, workload_dtypes, "TYPE", "f16, bf16 or f32 only (default: all)"},
        {"json", 0, OPTION_FLAG, &bench.as_json, 0, 0, NULL, NULL, "one JSON object on one line"},
        {0},
    };
    const struct option_command command = {
        "bench", NULL, "Times prefill and decode cases, next to the machine's measured ceilings.", options};
    int first, status = options_parse(&command, argc, argv, &first);

    if (status != OPTIONS_PROCEED)
        return status;
    bench.seconds = quick ? 0.2 : 1.0;
    return run_all(&bench, dtype);
}
