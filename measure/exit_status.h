/* SPDX-License-Identifier: MIT */
/*
 * exit_status.h - the exit statuses that users and scripts rely on: those of mmarn's subcommands, of
 * build/bench/layers, and of the ranks that both start.
 */
#ifndef MMARN_MEASURE_EXIT_STATUS_H
#define MMARN_MEASURE_EXIT_STATUS_H

enum {
    EXIT_OK = 0,
    EXIT_WRONG = 1, /* computed, but not the right numbers */
    EXIT_USAGE = 2,
    EXIT_RUNTIME = 3
};

#endif
