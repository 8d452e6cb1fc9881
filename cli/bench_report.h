/* SPDX-License-Identifier: MIT */
/* bench_report.h - the output of mmarn bench: a table whose rows appear one by one, or one JSON object. */
#ifndef MMARN_CLI_BENCH_REPORT_H
#define MMARN_CLI_BENCH_REPORT_H

#include "bench_compare.h"
#include "measure/figures.h"

struct bench_line {
    const char *name; /* of the case */
    struct figures figures;
    double f16_ratio;       /* f16's time for the same case / this one; NaN when f16 was not timed */
    struct bench_ratio old; /* for a report with `compares` */
};

struct bench_report {
    bool as_json, compares;
    struct json json;
    /* Of the cases that the earlier report has. */
    int compared;
    double log_ratios;
};

void bench_report_begin(struct bench_report *report, const struct peak *peak);
void bench_report_line(struct bench_report *report, const struct bench_line *line);
void bench_report_end(struct bench_report *report, bool ok);

#endif
