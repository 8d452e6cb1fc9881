/* SPDX-License-Identifier: MIT */
/* options.c - getopt_long, and numbers that must be numbers from end to end. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

static const char help[] =
    "usage: llama --model FILE --tokenizer FILE [option...]\n"
    "       mmarn launch -n RANKS -- llama --model FILE --tokenizer FILE [option...]\n"
    "\n"
    "Continues a text with a Llama-type model in llama2.c's format, its layers divided among the ranks.\n"
    "Rank 0 writes the text to stdout as it grows, and tokens per second to stderr.\n"
    "\n"
    "  --model FILE         the checkpoint\n"
    "  --tokenizer FILE     its vocabulary\n"
    "  --prompt TEXT        how the text begins (default: empty)\n"
    "  --steps N            the text's most tokens, the prompt's included (default: 256)\n"
    "  --dtype TYPE         f32, f16, bf16; int8 or int4: quantised weights, f16 activations; w8a8: int8 weights and\n"
    "                       int8 activations between the matmuls (default: f32)\n"
    "  --sequence-parallel  each rank keeps its own rows of the residual stream; the text is the same\n"
    "  --temperature T      0: always the likeliest token (default: 0)\n"
    "  --top-p P            choose among the likeliest tokens that have probability P together (default: 1)\n"
    "  --seed N             of the choice (default: 1)\n"
    "  --score FILE         write no text, but the log-likelihood of each token of FILE's, and their mean\n"
    "  --help               this text\n"
    "\n"
    "Exit status: 0 done; 2 the command line is wrong; 3 anything else.\n";

static bool wrong(const char *name, const char *text, const char *wanted)
{
    return fail("--%s is \"%s\"; it must be %s", name, text, wanted);
}

static bool parse_number(const char *name, const char *text, double most, const char *wanted, double *value)
{
    char *end;
    *value = strtod(text, &end);
    return (end != text && *end == 0 && *value >= 0 && *value <= most) || wrong(name, text, wanted);
}

static bool parse_whole(const char *name, const char *text, uint64_t most, const char *wanted, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return (text[0] >= '0' && text[0] <= '9' && *end == 0 && errno == 0 && *value <= most) || wrong(name, text, wanted);
}

static bool parse_dtype(const char *text, struct options *options)
{
    static const struct {
        const char *name;
        mmarn_dtype dtype;
        bool int8_rows;
    } names[] = {{"f32", MMARN_F32, false}, {"f16", MMARN_F16, false}, {"bf16", MMARN_BF16, false},
                 {"int8", MMARN_I8, false}, {"int4", MMARN_I4, false}, {"w8a8", MMARN_I8, true}};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(text, names[i].name) == 0) {
            options->dtype = names[i].dtype;
            options->int8_rows = names[i].int8_rows;
            return true;
        }
    return wrong("dtype", text, "f32, f16, bf16, int8, int4 or w8a8");
}

enum { MODEL = 1, TOKENIZER, PROMPT, STEPS, DTYPE, TEMPERATURE, TOP_P, SEED, SCORE, SEQUENCE, HELP };

static const struct option known[] = {
    {"model", required_argument, NULL, MODEL},   {"tokenizer", required_argument, NULL, TOKENIZER},
    {"prompt", required_argument, NULL, PROMPT}, {"steps", required_argument, NULL, STEPS},
    {"dtype", required_argument, NULL, DTYPE},   {"temperature", required_argument, NULL, TEMPERATURE},
    {"top-p", required_argument, NULL, TOP_P},   {"seed", required_argument, NULL, SEED},
    {"score", required_argument, NULL, SCORE},   {"sequence-parallel", no_argument, NULL, SEQUENCE},
    {"help", no_argument, NULL, HELP},           {0},
};

static bool parse_one(struct options *options, int which, const char *text)
{
    uint64_t whole = 0;
    bool good = true;
    switch (which) {
    case MODEL:
        options->model = text;
        return true;
    case TOKENIZER:
        options->tokenizer = text;
        return true;
    case PROMPT:
        options->prompt = text;
        return true;
    case SCORE:
        options->score = text;
        return true;
    case DTYPE:
        return parse_dtype(text, options);
    case SEQUENCE:
        options->sequence_parallel = true;
        return true;
    case TEMPERATURE:
        return parse_number("temperature", text, 1e6, "0 to 1e6", &options->temperature);
    case TOP_P:
        return parse_number("top-p", text, 1, "0 to 1", &options->top_p);
    case SEED:
        return parse_whole("seed", text, UINT64_MAX, "a whole number below 2^64", &options->seed);
    case STEPS:
        good = parse_whole("steps", text, INT32_MAX, "a whole number below 2^31", &whole);
        options->steps = (int64_t)whole;
        return good;
    default: /* getopt_long has said what is wrong */
        return false;
    }
}

int options_parse(struct options *options, int argc, char **argv)
{
    *options = (struct options){.prompt = "", .dtype = MMARN_F32, .steps = 256, .top_p = 1, .seed = 1};
    for (int which; (which = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (which == HELP) {
            fputs(help, stdout);
            return EXIT_SUCCESS;
        }
        if (!parse_one(options, which, optarg))
            return EXIT_USAGE;
    }
    if (optind < argc)
        fail("\"%s\" is no option; --help says more", argv[optind]);
    else if (!options->model || !options->tokenizer)
        fail("--%s is missing; --help says more", options->model ? "tokenizer" : "model");
    else
        return OPTIONS_PROCEED;
    return EXIT_USAGE;
}
