/* SPDX-License-Identifier: MIT */
/*
 * figures.h - a workload's figures next to the machine's ceilings, for reports: cells of a table, members of an object.
 */
#ifndef MMARN_MEASURE_FIGURES_H
#define MMARN_MEASURE_FIGURES_H

#include "json.h"
#include "peak.h"
#include "table.h"
#include "workload.h"

struct figures {
    struct workload workload;
    struct workload_result result;
    double gflops, gigabytes; /* per second */
    struct peak peak;
};

/* For a workload that has run. bytes: what all ranks together move in one step, for gigabytes. */
void figures_set(struct figures *figures, const struct peak *peak, double bytes);

/*
 * Runs peak_measure for multiply-adds and for reading memory, and shows its progress. Returns EXIT_OK, or the status to
 * exit with after a failure that has been reported. command is for messages.
 */
int figures_ceilings(const char *command, int workers, struct peak *peak);

/* As text: machine, kernel and all ceilings; then the cells from "time ms" to "of read", whose number it returns. */
void figures_show_ceilings(const struct peak *peak);
int figures_cells(const struct figures *figures, char (*cells)[TABLE_CELL]);

/* As members of an object: the same; rows .. group_size; gflops and its share of the peak. */
void figures_json_machine(struct json *json, const struct peak *peak);
void figures_json_shape(struct json *json, const struct workload *workload);
void figures_json_share(struct json *json, const struct figures *figures);

#endif
