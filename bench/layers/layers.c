/* SPDX-License-Identifier: MIT */
/*
 * layers.c - build/bench/layers: the operator as the layers of real models call it, next to the machine's two ceilings.
 * Ranks are processes. Weights are rotated, so that those of calls with few rows come from memory, as in the layers of
 * a model. Ceilings are measured again for each block of cases, because the speed of a shared machine can change during
 * a long run.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "cases.h"
#include "measure/clock.h"
#include "measure/exit_status.h"
#include "measure/figures.h"
#include "measure/options.h"
#include "report.h"
#include "selection.h"

struct run {
    struct layer_case *cases;
    struct peak peak; /* of the current block */
    struct report report;
    struct report_progress progress;
    double start;         /* of the first case */
    double expected_done; /* the estimate for the cases that are done */
    bool ok;
};

static double expected_seconds(const struct layer_case *cases, int count, const struct peak *peak)
{
    double sum = 0.0;
    for (int i = 0; i < count; i++)
        sum += case_lacking_bytes(&cases[i].workload) > 0 ? 0.0 : case_expected_seconds(&cases[i].workload, peak);
    return sum;
}

/* Estimates the time of a run without filters. */
static bool estimate_full_run(const struct peak *peak, struct report_progress *full)
{
    struct selection all;
    struct layer_case *cases;

    selection_all(&all);
    cases = cases_make(&all, &full->count);
    if (cases != NULL)
        full->expected = expected_seconds(cases, full->count, peak);
    free(cases);
    return cases != NULL;
}

static int begin_block(struct run *run, const struct layer_case *first)
{
    struct report_progress *progress = &run->progress;
    const int status = figures_ceilings("layers", workload_workers(&first->workload), &run->peak);

    if (status != EXIT_OK)
        return status;
    /* The estimate, corrected by how it has turned out for the cases so far. */
    progress->left = progress->expected - run->expected_done;
    if (run->expected_done > 0)
        progress->left *= (clock_seconds() - run->start) / run->expected_done;
    report_block(first, &run->peak, progress);
    return EXIT_OK;
}

static int run_case(struct run *run, const struct layer_case *one)
{
    const double lacking = case_lacking_bytes(&one->workload);
    struct workload_result result;
    char reason[96];
    int status;

    if (lacking > 0) {
        snprintf(reason, sizeof(reason), "its tensors need %.1f GiB more than this machine has", lacking * 0x1p-30);
        report_skipped(&run->report, one, reason);
        return EXIT_OK;
    }
    status = workload_run(&one->workload, &result);
    if (status != EXIT_OK)
        return status;
    run->ok = run->ok && result.bits_equal;
    report_case(&run->report, one, &result, &run->peak);
    return EXIT_OK;
}

static int run_all(struct run *run, const struct peak *first_peak)
{
    int status = EXIT_OK;

    run->start = clock_seconds();
    for (int i = 0; i < run->progress.count && status == EXIT_OK; i++) {
        const struct layer_case *one = &run->cases[i];
        if (one->first)
            status = begin_block(run, one);
        if (status == EXIT_OK)
            status = run_case(run, one);
        run->expected_done += expected_seconds(one, 1, first_peak);
        run->progress.done++;
    }
    if (!run->ok)
        fputs("mmarn layers: the ranks' results differ\n", stderr);
    return status != EXIT_OK || run->ok ? status : EXIT_WRONG;
}

/* An interrupted run also leaves a complete JSON object, with the cases so far. */
static int measure(struct run *run)
{
    struct report_progress full = {0};
    struct peak peak;
    int status = figures_ceilings("layers", cpu_count(), &peak);

    if (status != EXIT_OK)
        return status;
    if (!estimate_full_run(&peak, &full)) {
        fputs("mmarn layers: there is no memory for the list of cases\n", stderr);
        return EXIT_RUNTIME;
    }
    run->progress.expected = expected_seconds(run->cases, run->progress.count, &peak);
    report_begin(&run->report, &peak, &run->progress, &full);
    status = run_all(run, &peak);
    report_end(&run->report, status == EXIT_OK);
    return status;
}

int main(int argc, char **argv)
{
    struct selection selection;
    struct run run = {.ok = true};
    int status = selection_parse(argc, argv, &selection);

    if (status != OPTIONS_PROCEED)
        return status;
    if (selection.json != NULL && (run.report.json.out = fopen(selection.json, "w")) == NULL) {
        fprintf(stderr, "mmarn layers: \"%s\" cannot be written: %s\n", selection.json, strerror(errno));
        return EXIT_RUNTIME;
    }
    run.cases = cases_make(&selection, &run.progress.count);
    status = run.cases != NULL ? measure(&run) : EXIT_RUNTIME;
    if (run.report.json.out != NULL && fclose(run.report.json.out) != 0) {
        fprintf(stderr, "mmarn layers: \"%s\" cannot be written: %s\n", selection.json, strerror(errno));
        status = EXIT_RUNTIME;
    }
    free(run.cases);
    return status;
}
