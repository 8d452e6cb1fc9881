/* SPDX-License-Identifier: MIT */
/*
 * command.h - the subcommands of mmarn, one file each.
 */
#ifndef MMARN_CLI_COMMAND_H
#define MMARN_CLI_COMMAND_H

#include "measure/exit_status.h"

/* argv[0] is the subcommand's name. Each returns an exit status (measure/exit_status.h). */
int command_run(int argc, char **argv);
int command_launch(int argc, char **argv);
int command_info(int argc, char **argv);
int command_bench(int argc, char **argv);

#endif
