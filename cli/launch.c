/* SPDX-License-Identifier: MIT */
/* launch.c - mmarn launch: runs the same program once per rank, with an environment for mmarn_id_from_env. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "command.h"
#include "measure/notes.h"
#include "measure/options.h"
#include "measure/ranks.h"
#include "mmarn/mmarn.h"

/* The exit statuses of a shell for a program that is not there, or cannot be executed. */
enum { EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

struct launch {
    int ranks;
    char **program; /* its arguments, ending with NULL */
    char id[MMARN_ID_TEXT_SIZE];
};

static void set_number(const char *name, int value, bool overwrite)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", value);
    setenv(name, text, overwrite);
}

static int start(int rank, void *context)
{
    const struct launch *launch = context;
    int error;

    setenv("MMARN_ID", launch->id, true);
    set_number("MMARN_RANK", rank, true);
    set_number("MMARN_WORLD_SIZE", launch->ranks, true);
    set_number("OMP_NUM_THREADS", cpu_share(launch->ranks), false);
    execvp(launch->program[0], launch->program);
    error = errno;
    fprintf(stderr, "mmarn launch: \"%s\" cannot be started: %s\n", launch->program[0], strerror(error));
    return error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/* Notes that concern all ranks, which may have no way to write them: on MMARN_CPU, and on where the ranks are bound. */
static void tell_notes(int ranks)
{
    enum { WORDS = 128 };
    uint64_t mask[WORDS];
    char sentence[512];

    if (cpu_complaint() != NULL)
        notes_tell(cpu_complaint());
    cpu_mask(1, mask, WORDS);
    if (cpu_crowded(ranks, mask, WORDS, false, sentence, sizeof(sentence)))
        notes_tell(sentence);
}

int command_launch(int argc, char **argv)
{
    int64_t ranks = 0;
    const struct option_spec options[] = {
        {"ranks", 'n', OPTION_WHOLE, &ranks, 1, MMARN_MAX_RANKS, NULL, "N", "processes to start (required)"},
        {0},
    };
    const struct option_command command = {
        "launch", "[--] program [argument...]",
        "Starts a program N times, as ranks 0 .. N - 1 of a new group, and waits for all of them.\n"
        "Sets MMARN_ID, MMARN_RANK and MMARN_WORLD_SIZE, and OMP_NUM_THREADS unless it is set.\n"
        "The first rank to fail ends the others, and its exit status is the command's.",
        options};
    struct launch launch = {0};
    struct ranks_outcome outcome;
    mmarn_id id;
    int first, status = options_parse(&command, argc, argv, &first);

    if (status != OPTIONS_PROCEED)
        return status;
    if (ranks == 0 || first == argc) {
        fprintf(stderr, "mmarn launch: %s is missing; mmarn launch --help says more\n",
                ranks == 0 ? "the number of ranks, --ranks," : "the program to start");
        return EXIT_USAGE;
    }
    if (mmarn_id_create(&id) != MMARN_OK || mmarn_id_to_text(&id, launch.id, sizeof(launch.id)) != MMARN_OK) {
        fprintf(stderr, "mmarn launch: %s\n", mmarn_last_error());
        return EXIT_RUNTIME;
    }
    launch.ranks = (int)ranks;
    launch.program = argv + first;
    tell_notes(launch.ranks);
    if (!ranks_run(launch.ranks, start, &launch, &outcome)) {
        fprintf(stderr, "mmarn launch: a rank cannot be started: %s\n", strerror(errno));
        return EXIT_RUNTIME;
    }
    if (outcome.rank >= 0 && outcome.signal == 0) {
        char text[128];
        ranks_describe(&outcome, text, sizeof(text));
        fprintf(stderr, "mmarn launch: %s\n", text);
    }
    return ranks_exit_status(&outcome);
}
