/* SPDX-License-Identifier: MIT */
/*
 * options.h - command-line options from a table, on top of getopt_long. The table defines the parser, the limits and
 * the help text. A wrong option is answered with one sentence that names the option and the value.
 */
#ifndef MMARN_MEASURE_OPTIONS_H
#define MMARN_MEASURE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,   /* bool: no value */
    OPTION_WHOLE,  /* int64_t: min .. max */
    OPTION_SEED,   /* uint64_t */
    OPTION_CHOICE, /* int: the value of one of choices */
    OPTION_SHAPE,  /* int64_t[4]: BxSxKxN */
    OPTION_TEXT    /* const char *: any text, read by the command */
};

struct option_choice {
    const char *name; /* NULL ends the list */
    int value;
};

struct option_spec {
    const char *name; /* NULL ends the list */
    char letter;      /* its short form, or 0 */
    enum option_kind kind;
    void *target; /* holds the default */
    int64_t min, max;
    const struct option_choice *choices;
    const char *metavar, *help;
};

struct option_command {
    const char *name;     /* "run" */
    const char *operands; /* what follows the options, for the usage line; NULL if nothing may follow */
    const char *summary;
    const struct option_spec *options;
};

enum { OPTIONS_PROCEED = -1 };

/*
 * Reads argv[1 ..]. Returns OPTIONS_PROCEED, with *first the index of the first operand; or, if help was shown or an
 * error was reported, the status to exit with.
 */
int options_parse(const struct option_command *command, int argc, char **argv, int *first);

/* The name of a choice's value. */
const char *options_choice_name(const struct option_choice *choices, int value);

#endif
