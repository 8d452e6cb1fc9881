/* SPDX-License-Identifier: MIT */
/* main.c - the entry point of the command: picks the subcommand, and prepares the standard streams. */
#include <fcntl.h>
#include <fenv.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "measure/notes.h"
#include "mmarn/mmarn.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
};

static const struct command commands[] = {
    {"run", command_run, "run one shape on this machine, check the result, compare with the machine's peak"},
    {"launch", command_launch, "start a program once per rank, with a group's id in its environment"},
    {"info", command_info, "show the machine and what the library chose for it"},
    {"bench", command_bench, "time a fixed set of prefill and decode cases"},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void help(FILE *out)
{
    fputs("Usage: mmarn COMMAND [OPTION...]\n"
          "Matmul, all-reduce, residual and RMSNorm in one step, over the ranks of one machine.\n\n",
          out);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fputs("\n  --help     show this, or after a command that command's options\n"
          "  --version  show the library's version\n",
          out);
}

/* Opens descriptors 0 to 2 if they were closed, so that no file of the command or its ranks gets one of them. */
static void complete_streams(void)
{
    int descriptor;
    do
        descriptor = open("/dev/null", O_RDWR);
    while (descriptor >= 0 && descriptor < STDERR_FILENO);
    if (descriptor > STDERR_FILENO)
        close(descriptor);
}

/* A report that could not be written is a failure. */
static int finish(int status)
{
    if (status != EXIT_OK || (fflush(stdout) == 0 && !ferror(stdout)))
        return status;
    fputs("mmarn: standard output cannot be written\n", stderr);
    return EXIT_RUNTIME;
}

int main(int argc, char **argv)
{
    /* The reference values are computed here, and a library may have changed the environment when it was loaded. */
    fesetenv(FE_DFL_ENV);
    complete_streams();
    notes_begin();
    if (argc < 2) {
        help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        help(stdout);
        return finish(EXIT_OK);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("mmarn %s\n", mmarn_version());
        return finish(EXIT_OK);
    }
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return finish(commands[i].run(argc - 1, argv + 1));
    fprintf(stderr, "mmarn: there is no command \"%s\"; mmarn --help lists them\n", argv[1]);
    return EXIT_USAGE;
}
