/* SPDX-License-Identifier: MIT */
/*
 * options.c - the option parser of all subcommands and of build/bench/layers. Numbers are decimal digits only: strtoll
 * also accepts spaces, signs and trailing text, so a typing mistake would be read as another number.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit_status.h"

enum { MAX_OPTIONS = 24 };

const char *options_choice_name(const struct option_choice *choices, int value)
{
    for (; choices->name != NULL; choices++)
        if (choices->value == value)
            return choices->name;
    return "?";
}

/* Parses digits up to an end character, or to the end of the string; *end is set to the character after them. */
static bool parse_digits(const char *text, uint64_t *value, const char **end)
{
    char *stop;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *value = strtoull(text, &stop, 10);
    *end = stop;
    return errno == 0;
}

static bool parse_whole(const struct option_spec *spec, const char *text)
{
    uint64_t value;
    const char *end;
    if (!parse_digits(text, &value, &end) || *end != '\0' || value < (uint64_t)spec->min || value > (uint64_t)spec->max)
        return false;
    *(int64_t *)spec->target = (int64_t)value;
    return true;
}

static bool parse_seed(const struct option_spec *spec, const char *text)
{
    const char *end;
    return parse_digits(text, spec->target, &end) && *end == '\0';
}

static bool parse_choice(const struct option_spec *spec, const char *text)
{
    for (const struct option_choice *choice = spec->choices; choice->name != NULL; choice++)
        if (strcmp(text, choice->name) == 0) {
            *(int *)spec->target = choice->value;
            return true;
        }
    return false;
}

/* Sizes are at most spec->max each; so are the products that become numbers of elements. */
static bool parse_shape(const struct option_spec *spec, const char *text)
{
    int64_t size[4], rows, elements;
    for (int i = 0; i < 4; i++) {
        uint64_t value;
        if (!parse_digits(text, &value, &text) || *text != (i < 3 ? 'x' : '\0') || value > (uint64_t)spec->max)
            return false;
        size[i] = (int64_t)value;
        text++;
    }
    if (__builtin_mul_overflow(size[0], size[1], &rows) || rows > spec->max)
        return false;
    if (__builtin_mul_overflow(rows, size[2], &elements) || elements > spec->max ||
        __builtin_mul_overflow(rows, size[3], &elements) || elements > spec->max ||
        __builtin_mul_overflow(size[2], size[3], &elements) || elements > spec->max)
        return false;
    memcpy(spec->target, size, sizeof(size));
    return true;
}

static bool parse_value(const struct option_spec *spec, const char *text)
{
    switch (spec->kind) {
    case OPTION_FLAG:
        *(bool *)spec->target = true;
        return true;
    case OPTION_WHOLE:
        return parse_whole(spec, text);
    case OPTION_SEED:
        return parse_seed(spec, text);
    case OPTION_CHOICE:
        return parse_choice(spec, text);
    case OPTION_SHAPE:
        return parse_shape(spec, text);
    case OPTION_TEXT:
        *(const char **)spec->target = text;
        return true;
    }
    return false;
}

/* The values that the option accepts, for the help and for the sentence about a wrong value. */
static void describe_value(const struct option_spec *spec, char *buffer, size_t size)
{
    size_t used = 0;
    buffer[0] = '\0';
    switch (spec->kind) {
    case OPTION_FLAG:
    case OPTION_TEXT:
        break;
    case OPTION_WHOLE:
        snprintf(buffer, size, "a whole number from %lld to %lld", (long long)spec->min, (long long)spec->max);
        break;
    case OPTION_SEED:
        snprintf(buffer, size, "a whole number below 2^64");
        break;
    case OPTION_CHOICE:
        for (const struct option_choice *choice = spec->choices; choice->name != NULL && used < size; choice++)
            used += (size_t)snprintf(buffer + used, size - used, "%s%s", used > 0 ? " or " : "", choice->name);
        break;
    case OPTION_SHAPE:
        snprintf(buffer, size, "four sizes BxSxKxN with tensors of at most %lld elements", (long long)spec->max);
        break;
    }
}

static void help(const struct option_command *command)
{
    printf("Usage: mmarn %s [OPTION...]%s%s\n%s\n\n", command->name, command->operands ? " " : "",
           command->operands ? command->operands : "", command->summary);
    for (const struct option_spec *spec = command->options; spec->name != NULL; spec++) {
        char left[48];
        snprintf(left, sizeof(left), "%c%c%s --%s%s%s", spec->letter ? '-' : ' ', spec->letter ? spec->letter : ' ',
                 spec->letter ? "," : " ", spec->name, spec->metavar ? "=" : "", spec->metavar ? spec->metavar : "");
        printf("  %-24s %s\n", left, spec->help);
    }
    printf("  %-24s %s\n", "-h, --help", "show this");
}

/* The sentence for an argument that getopt_long could not parse. */
static int refuse(const struct option_command *command, char **argv, int code)
{
    const char *text = argv[optind - 1];
    if (code == ':')
        fprintf(stderr, "mmarn %s: %s needs a value\n", command->name, text);
    else if (optopt != 0 && strncmp(text, "--", 2) != 0)
        fprintf(stderr, "mmarn %s: there is no option \"-%c\"; mmarn %s --help lists them\n", command->name, optopt,
                command->name);
    else if (optopt != 0)
        fprintf(stderr, "mmarn %s: the option in \"%s\" takes no value\n", command->name, text);
    else
        fprintf(stderr, "mmarn %s: there is no option \"%s\", or it is short for several; mmarn %s --help lists them\n",
                command->name, text, command->name);
    return EXIT_USAGE;
}

/* Fills the two tables of getopt_long; an option's code is its index plus LONG_BASE. */
enum { LONG_BASE = 256 };
static void build_tables(const struct option_spec *specs, struct option *longs, char *shorts)
{
    int count = 0;
    /* '+': options end at the first operand, whose own options are not ours; ':': reports a missing value
       separately. */
    *shorts++ = '+';
    *shorts++ = ':';
    *shorts++ = 'h';
    for (; specs[count].name != NULL; count++) {
        const bool takes_value = specs[count].kind != OPTION_FLAG;
        longs[count] = (struct option){specs[count].name, takes_value, NULL, LONG_BASE + count};
        if (specs[count].letter) {
            *shorts++ = specs[count].letter;
            if (takes_value)
                *shorts++ = ':';
        }
    }
    *shorts = '\0';
    longs[count++] = (struct option){"help", no_argument, NULL, 'h'};
    longs[count] = (struct option){NULL, 0, NULL, 0};
}

int options_parse(const struct option_command *command, int argc, char **argv, int *first)
{
    struct option longs[MAX_OPTIONS + 2];
    char shorts[4 + 2 * MAX_OPTIONS];
    int code;

    build_tables(command->options, longs, shorts);
    opterr = 0;
    while ((code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        const struct option_spec *spec = command->options;
        char accepted[160];
        if (code == 'h') {
            help(command);
            return EXIT_OK;
        }
        if (code == '?' || code == ':')
            return refuse(command, argv, code);
        if (code >= LONG_BASE)
            spec += code - LONG_BASE;
        else
            while (spec->letter != code)
                spec++;
        if (!parse_value(spec, optarg)) {
            describe_value(spec, accepted, sizeof(accepted));
            fprintf(stderr, "mmarn %s: --%s takes %s, not \"%s\"\n", command->name, spec->name, accepted, optarg);
            return EXIT_USAGE;
        }
    }
    *first = optind;
    if (command->operands == NULL && optind < argc) {
        fprintf(stderr, "mmarn %s: takes options only, not \"%s\"\n", command->name, argv[optind]);
        return EXIT_USAGE;
    }
    return OPTIONS_PROCEED;
}
