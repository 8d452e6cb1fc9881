/* SPDX-License-Identifier: MIT */
/*
 * report.h - the output of build/bench/layers: tables on stdout, row by row as cases are done, and one JSON object in a
 * file if wanted.
 */
#ifndef MMARN_BENCH_LAYERS_REPORT_H
#define MMARN_BENCH_LAYERS_REPORT_H

#include "cases.h"
#include "measure/json.h"

struct report {
    struct json json; /* its out is NULL if there is no file */
};

/* The progress of a run; times in seconds. */
struct report_progress {
    int done, count;
    double expected, left;
};

/* Shows the best ceilings of the start next to the medians of each block: they tell how quiet the machine was. */
void report_begin(struct report *report, const struct peak *peak, const struct report_progress *run,
                  const struct report_progress *full);

/* Called before a block's first case, with the ceilings measured for the block. */
void report_block(const struct layer_case *first, const struct peak *peak, const struct report_progress *run);

void report_case(struct report *report, const struct layer_case *one, const struct workload_result *result,
                 const struct peak *peak);
void report_skipped(struct report *report, const struct layer_case *one, const char *reason);

void report_end(struct report *report, bool ok);

#endif
