/*
 * report.h - what mmarn bench shows: a table whose rows come one by one, or one JSON object.
 */
#ifndef MMARN_MEASURE_REPORT_H
#define MMARN_MEASURE_REPORT_H

#include "json.h"
#include "peak.h"
#include "table.h"
#include "workload.h"

struct bench_line {
    const char *name; /* of the case */
    struct workload workload;
    struct workload_result result;
    double gflops, gigabytes; /* per second; gigabytes of weights as they are stored */
    double f16_ratio;         /* f16's time for the same case / this one; NaN when f16 was not timed */
    struct peak peak;
};

struct bench_report {
    bool as_json;
    struct json json;
};

/*
 * For other reports too. As text: machine, kernel and all ceilings; the cells from "time ms" to "of read", which are
 * counted. As members of an object: the same; rows .. group_size; gflops and the share of the peak that it belongs to.
 */
void bench_report_ceilings(const struct peak *peak);
int bench_report_figures(const struct bench_line *line, char (*cells)[TABLE_CELL]);
void bench_report_machine(struct json *json, const struct peak *peak);
void bench_report_shape(struct json *json, const struct workload *workload);
void bench_report_share(struct json *json, const struct bench_line *line);

void bench_report_begin(struct bench_report *report, const struct peak *peak);
void bench_report_line(struct bench_report *report, const struct bench_line *line);
void bench_report_end(struct bench_report *report, bool ok);

#endif
