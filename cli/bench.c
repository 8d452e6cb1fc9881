/* SPDX-License-Identifier: MIT */
/*
 * bench.c - mmarn bench: a fixed set of cases, each compared with the machine's two ceilings measured in the same run.
 * Prefill is bound by multiply-adds. Decode is bound by reading weights: its cases use several operators in turn, so
 * many that their weights outgrow the last-level cache, as the layers of a model do. The types of a case take turns for
 * some rounds, so that a disturbance of the machine does not affect only one of them.
 */
#include <math.h>
#include <stdio.h>

#include "base/cpu.h"
#include "bench_compare.h"
#include "bench_report.h"
#include "command.h"
#include "measure/data.h"
#include "measure/form.h"
#include "measure/options.h"
#include "measure/rounds.h"
#include "measure/workload.h"

struct bench_case {
    const char *name;
    int ranks;
    int64_t rows, k, n; /* k of each rank */
    bool decode;
    bool quick; /* --quick runs it too */
    int form;   /* of mmarn run --form; forms other than the whole one are timed only in the first type */
};

/*
 * Prefill on 2 and on 8 ranks comes in pairs with the same total k: 2048, and 8192 as in the call of MindSpeed's test.
 */
static const struct bench_case cases[] = {
    {"prefill", 1, 512, 1024, 8192, false, true, FORM_WHOLE},
    {"prefill", 2, 512, 1024, 8192, false, true, FORM_WHOLE},
    {"prefill", 8, 512, 256, 8192, false, true, FORM_WHOLE},
    {"prefill", 2, 512, 4096, 8192, false, false, FORM_WHOLE},
    {"prefill", 8, 512, 1024, 8192, false, false, FORM_WHOLE},
    {"decode", 2, 1, 2048, 4096, true, true, FORM_WHOLE},
    {"decode", 2, 4, 2048, 4096, true, true, FORM_WHOLE},
    {"mm-all-reduce", 2, 512, 1024, 8192, false, true, FORM_MM_ALL_REDUCE},
    {"norm-first", 2, 512, 1024, 8192, false, false, FORM_NORM_FIRST},
    {"int8", 2, 512, 1024, 8192, false, false, FORM_INT8},
    {"sharded", 2, 512, 1024, 8192, false, false, FORM_SHARDED},
    {"mm-all-reduce", 2, 1, 2048, 4096, true, false, FORM_MM_ALL_REDUCE},
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

/*
 * The types without --dtype, and the number of them that --quick runs. f16 is first: the others are compared with it.
 */
static const int types[] = {SCENARIO_F16,       SCENARIO_F16_INT8,  SCENARIO_F16_INT4,
                            SCENARIO_INT8_F16,  SCENARIO_BF16,      SCENARIO_BF16_INT8,
                            SCENARIO_BF16_INT4, SCENARIO_INT8_BF16, SCENARIO_F32};
enum { TYPES = sizeof(types) / sizeof(types[0]), QUICK_TYPES = 4 };
_Static_assert((int)TYPES <= (int)ROUNDS_WORKLOADS, "the types of a case take turns");

struct bench {
    struct peak peak; /* for the number of workers of the last case */
    struct bench_report report;
    struct bench_old old; /* the report to compare with, if any */
    const int *types;
    int type_count;
    double seconds; /* for each timing, all rounds together */
    bool quick, ok;
};

static int measure_peak(struct bench *bench, int workers)
{
    if (workers > cpu_count())
        workers = cpu_count();
    return workers == bench->peak.workers ? EXIT_OK : figures_ceilings("bench", workers, &bench->peak);
}

static struct workload make_workload(const struct bench *bench, const struct bench_case *one, int type)
{
    struct workload workload = {.command = "bench",
                                .ranks = one->ranks,
                                .threads = workload_default_threads(one->ranks),
                                .b = 1,
                                .s = one->rows,
                                .k = one->k,
                                .n = one->n,
                                .dtype = type,
                                .form = one->form,
                                .operators = 1,
                                .least = 1,
                                .seconds = bench->seconds / ROUNDS,
                                .seed = 1};
    workload_usual_scales(&workload);
    if (one->decode)
        workload.operators = workload_rotating_operators(&workload);
    return workload;
}

static int run_case(struct bench *bench, const struct bench_case *one)
{
    struct figures figures[TYPES] = {0};
    const int type_count = one->form == FORM_WHOLE ? bench->type_count : 1;
    int status;

    for (int type = 0; type < type_count; type++)
        figures[type].workload = make_workload(bench, one, bench->types[type]);
    status = measure_peak(bench, workload_workers(&figures[0].workload));
    if (status == EXIT_OK)
        status = rounds_run(figures, type_count);
    if (status != EXIT_OK)
        return status;
    const double f16 = bench->types[0] == SCENARIO_F16 ? figures[0].result.seconds : (double)NAN;
    for (int type = 0; type < type_count; type++) {
        figures_set(&figures[type], &bench->peak, data_weight_bytes(&figures[type].workload) * one->ranks);
        bench->ok = bench->ok && figures[type].result.bits_equal;
        bench_report_line(&bench->report,
                          &(struct bench_line){.name = one->name,
                                               .figures = figures[type],
                                               .f16_ratio = f16 / figures[type].result.seconds,
                                               .old = bench_old_ratio(&bench->old, one->name, &figures[type])});
    }
    return EXIT_OK;
}

static int run_all(struct bench *bench)
{
    int status = measure_peak(bench, cpu_count());

    if (status != EXIT_OK)
        return status;
    bench_report_begin(&bench->report, &bench->peak);
    for (int i = 0; i < CASES; i++) {
        if (bench->quick && !cases[i].quick)
            continue;
        status = run_case(bench, &cases[i]);
        if (status != EXIT_OK)
            return status;
    }
    bench_report_end(&bench->report, bench->ok);
    if (!bench->ok)
        fputs("mmarn bench: the ranks' results differ\n", stderr);
    return bench->ok ? EXIT_OK : EXIT_WRONG;
}

int command_bench(int argc, char **argv)
{
    struct bench bench = {.report = {.json = {stdout, false}}, .ok = true};
    const char *compare = NULL;
    int dtype = 0;
    const struct option_spec options[] = {
        {"quick", 'q', OPTION_FLAG, &bench.quick, 0, 0, NULL, NULL, "fewer types and cases, for a shorter while"},
        {"dtype", 'd', OPTION_CHOICE, &dtype, 0, 0, scenario_names, "TYPE", "this type of mmarn run only"},
        {"compare", 0, OPTION_TEXT, &compare, 0, 0, NULL, "OLD.json",
         "how this run compares with an earlier --json report"},
        {"json", 0, OPTION_FLAG, &bench.report.as_json, 0, 0, NULL, NULL, "one JSON object on one line"},
        {0},
    };
    const struct option_command command = {
        "bench", NULL, "Times prefill and decode cases, next to the machine's measured ceilings.", options};
    int first, status = options_parse(&command, argc, argv, &first);

    if (status != OPTIONS_PROCEED)
        return status;
    bench.seconds = bench.quick ? 0.2 : 1.0;
    bench.types = dtype != 0 ? &dtype : types;
    bench.type_count = dtype != 0 ? 1 : bench.quick ? QUICK_TYPES : TYPES;
    if (compare && !bench_old_read(&bench.old, compare))
        return EXIT_USAGE;
    bench.report.compares = compare;
    if (compare && !bench_old_same_machine(&bench.old))
        fprintf(stderr, "mmarn bench: \"%s\" is from another machine\n", compare);
    const int outcome = run_all(&bench);
    bench_old_free(&bench.old);
    return outcome;
}
