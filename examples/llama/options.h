/* SPDX-License-Identifier: MIT */
/* options.h - the command line of this example. */
#ifndef LLAMA_OPTIONS_H
#define LLAMA_OPTIONS_H

#include <mmarn/mmarn.h>
#include <stdbool.h>
#include <stdint.h>

enum { EXIT_USAGE = 2, EXIT_RUNTIME = 3 };

struct options {
    const char *model, *tokenizer, *prompt;
    const char *score; /* a text's file; NULL to write text instead */
    mmarn_dtype dtype;
    bool int8_rows;         /* w8a8 */
    bool sequence_parallel; /* each rank keeps its own rows of the residual stream */
    int64_t steps;
    double temperature, top_p;
    uint64_t seed;
};

enum { OPTIONS_PROCEED = -1 };

/* OPTIONS_PROCEED; or, when help was shown or an error reported, the status to exit with. */
int options_parse(struct options *options, int argc, char **argv);

#endif
