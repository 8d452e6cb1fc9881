/* SPDX-License-Identifier: MIT */
/* selection.h - the cases that a run measures: the values chosen on each axis, from the options. */
#ifndef MMARN_BENCH_LAYERS_SELECTION_H
#define MMARN_BENCH_LAYERS_SELECTION_H

#include <stdbool.h>

/* The values of the axes: indices into layers_models, ranks, rows, and enum scenario_id. */
enum axis { AXIS_MODEL, AXIS_TP, AXIS_ROWS, AXIS_DTYPE, AXES };
enum { AXIS_VALUES = 12 };

struct selection {
    int value[AXES][AXIS_VALUES], count[AXES];
    bool quick;
    const char *json; /* the file to write, or NULL */
};

/* Selects everything. */
void selection_all(struct selection *selection);

/* OPTIONS_PROCEED of measure/options.h, or the status to exit with. */
int selection_parse(int argc, char **argv, struct selection *selection);

#endif
