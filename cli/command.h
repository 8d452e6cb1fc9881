/*
 * command.h - the subcommands of mmarn, one file each, and the exit statuses that users and scripts rely on.
 */
#ifndef MMARN_CLI_COMMAND_H
#define MMARN_CLI_COMMAND_H

enum {
    EXIT_OK = 0,
    EXIT_WRONG = 1, /* computed, but not the right numbers */
    EXIT_USAGE = 2,
    EXIT_RUNTIME = 3
};

/* argv[0] is the subcommand's name. Each returns an exit status. */
int command_run(int argc, char **argv);
int command_launch(int argc, char **argv);
int command_info(int argc, char **argv);
int command_bench(int argc, char **argv);

#endif
