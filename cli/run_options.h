/* SPDX-License-Identifier: MIT */
/* run_options.h - the options given to mmarn run. */
#ifndef MMARN_CLI_RUN_OPTIONS_H
#define MMARN_CLI_RUN_OPTIONS_H

#include <stdbool.h>

#include "measure/workload.h"

/* Overwrites the defaults in *workload. Returns OPTIONS_PROCEED, or the status to exit with. */
int run_options_parse(int argc, char **argv, struct workload *workload, bool *as_json);

#endif
