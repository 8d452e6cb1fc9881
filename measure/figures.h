/* SPDX-License-Identifier: MIT */
/*
 * figures.h - a workload's figures beside the machine's ceilings, for reports: cells of a table, members of an object.
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

/* Of a workload that has run; bytes: what all ranks together move in one step, for gigabytes. */
void figures_set(struct figures *figures, const struct peak *peak, double bytes);

/*
 * peak_measure of multiply-adds and of reading memory, shown as it goes on; EXIT_OK, or the status to exit with after a
 * failure that has been reported. command is for messages.
 */
int figures_ceilings(const char *command, int workers, struct peak *peak);

/* As text: machine, kernel and all ceilings; the cells from "time ms" to "of read", of which there are so many. */
void figures_show_ceilings(const struct peak *peak);
int figures_cells(const struct figures *figures, char (*cells)[TABLE_CELL]);

/* As members of an object: the same; rows .. group_size; gflops and the share of the peak that it belongs to. */
void figures_json_machine(struct json *json, const struct peak *peak);
void figures_json_shape(struct json *json, const struct workload *workload);
void figures_json_share(struct json *json, const struct figures *figures);

#endif
